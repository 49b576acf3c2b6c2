"""What an agent does with other agents: spawn, await, signal, cancel, hand off; and what it may use up itself."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict, TypeVar, Unpack, overload

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.conversion import encode
from rescind.errors import BudgetExceeded, ForeignFuture, InvalidInput
from rescind.model.agent_values import TokenUsage
from rescind.model.cause import CancelSource
from rescind.model.child_operations import ChildrenSettled
from rescind.model.child_values import (
    CancellationMode,
    ChildEvent,
    HandoffCompletion,
    HandoffOptions,
    SpawnOptions,
)
from rescind.model.children import Budget, Persistence, Usage
from rescind.model.ids import ExecutionId
from rescind.model.operations import WaitCondition
from rescind.model.options import milliseconds
from rescind.model.status import CancelTaskResult, ParentClosePolicy, TaskStatus
from rescind.model.texts import checked_choice, checked_labels, checked_reason, checked_text
from rescind.runtime.child_handle import ChildHandle, parent_of
from rescind.runtime.child_results import error_of, event_of_end, event_of_signal, value_of
from rescind.runtime.combinators import cause_by
from rescind.runtime.ports import AgentPort, ChildOptions
from rescind.runtime.scope import innermost_scope

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")
_NO_OPTIONS: Final = SpawnOptions()


class SpawnKeywords(TypedDict, total=False):
    """The fields of SpawnOptions, as keywords."""

    queue: str | None
    labels: Mapping[str, str] | None
    persistence: Persistence | None
    budget: Budget | None
    parent_close: ParentClosePolicy | None
    idempotency_key: str | None


class AgentChildren:
    """Children, as an agent sees them."""

    _port: AgentPort
    _usage: Usage

    @property
    def has_parent(self) -> bool:
        """Whether another agent spawned this one; `parent_execution_id` is its id."""
        return self._port.parent_id is not None

    @overload
    async def spawn_agent(
        self,
        agent: AgentDefinition[InputT, OutputT],
        agent_input: InputT = ...,
        options: SpawnOptions | None = None,
        **keywords: Unpack[SpawnKeywords],
    ) -> ChildHandle[OutputT]: ...

    @overload
    async def spawn_agent(
        self,
        agent: str,
        agent_input: Any = None,
        options: SpawnOptions | None = None,
        **keywords: Unpack[SpawnKeywords],
    ) -> ChildHandle[Any]: ...

    async def spawn_agent(
        self,
        agent: AgentDefinition[Any, Any] | str,
        agent_input: Any = None,
        options: SpawnOptions | None = None,
        **keywords: Unpack[SpawnKeywords],
    ) -> ChildHandle[Any]:
        """Start another agent as a child of this one. It leaves with the next await; a recovery finds it again.

        Inside a scope the child belongs to it, and is cancelled when the scope is left.

        Args:
            agent: its definition; or its kind, which some worker must know.
            agent_input: its input.
            options: see SpawnOptions; keywords go before what it says.

        Returns:
            Its handle; ``await child`` gives its result.

        Raises:
            InvalidInput: the input is not JSON or not of the declared type; an option cannot be meant.
            PayloadTooLarge: the input is larger than the limit.
        """
        limit = self._port.payload_limit
        if isinstance(agent, AgentDefinition):
            kind, result_type = agent.kind, agent.output_type
            payload = agent.encode_input(agent_input, limit=limit)
        else:
            kind, result_type = checked_text(agent, "an agent's kind"), None
            payload = encode(agent_input, what=f"input of agent {kind!r}", limit=limit)
        resolved, key = _resolved(_options_from(options, keywords))
        await self._port.tell_cancel()
        child_id = self._port.spawn(kind, payload, resolved, key)
        scope = innermost_scope()
        if scope is not None and scope.belongs_to(self._port):
            scope.adopt_child(child_id, self._port.leave_children)
        return ChildHandle(self, child_id, kind, result_type)

    async def get_child_handle(self, child_id: str, kind: str = "", result_type: Any = None) -> ChildHandle[Any]:
        """The handle of a child that this agent spawned before its last checkpoint (`recovery="checkpoint"`).

        An id that is no child of this agent shows when the handle is used: its await raises ChildFailed of kind
        REJECTED, its cancel answers NOT_FOUND.
        """
        self._port.ensure_active()
        return ChildHandle(self, ExecutionId(checked_text(child_id, "a child's id")), kind, result_type)

    async def result_of_child(self, child: ChildHandle[Any]) -> Any:
        """What ``await child`` does: the value, or ChildFailed, or ChildCancelled."""
        (mine,) = self._own_children((child,))
        settled = await self._port.await_children((mine.child_id,), WaitCondition.ALL_ENDED)
        outcome = settled.ended[0].outcome
        if outcome.status is TaskStatus.COMPLETED:
            return value_of(mine, outcome)
        raise error_of(mine, outcome)

    async def join_children(self, children: Sequence[ChildHandle[Any]]) -> list[ChildEvent]:
        """Wait until every child has ended, however; how each did, in the order of the handles. Empty gives empty.

        Signals that they send meanwhile do not end the wait. Cancelling the wait leaves the children as they were.
        """
        handles = self._own_children(children)
        if not handles:
            return []
        settled = await self._port.await_children(_ids(handles), WaitCondition.ALL_ENDED)
        ends = {end.child_id: end for end in settled.ended}
        return [event_of_end(handle, ends[handle.child_id]) for handle in handles if handle.child_id in ends]

    async def select_child(self, children: Sequence[ChildHandle[Any]]) -> ChildEvent:
        """Wait for the first thing that one of the children tells: its end, or a signal.

        The end of a child is told by every call that names it, a signal by one call; it stays in this agent's queue
        until it is taken there, too.

        Raises:
            InvalidInput: `children` is empty.
        """
        handles = self._own_children(children)
        if not handles:
            raise InvalidInput("select_child was given no children, so nothing could ever happen. Give at least one.")
        settled = await self._port.await_children(
            _ids(handles), WaitCondition.ANY_ENDED, with_signals=True, only_first=True
        )
        return _events(handles, settled)[0]

    async def poll_child_events(self, children: Sequence[ChildHandle[Any]]) -> list[ChildEvent]:
        """What the children have told so far, at most one event of each, in the order of time; does not wait.

        As with `select_child`, ends are told again and again, a signal once.
        """
        handles = self._own_children(children)
        if not handles:
            return []
        settled = await self._port.await_children(
            _ids(handles), WaitCondition.ANY_ENDED, timeout_ms=0, with_signals=True
        )
        return _events(handles, settled)

    async def signal_child(self, child: ChildHandle[Any], name: str, payload: Any = None) -> bool:
        """Send a child a signal; returns whether it was queued: False if the child has ended.

        Raises:
            InvalidInput: an empty name, or a payload that is not JSON.
            PayloadTooLarge: it is larger than the limit.
        """
        (mine,) = self._own_children((child,))
        name = checked_text(name, "a signal's name")
        value = encode(payload, what=f"signal {name!r}", limit=self._port.payload_limit)
        return await self._port.signal_child(mine.child_id, name, value)

    async def signal_parent(self, name: str, payload: Any = None) -> bool:
        """Send the parent a signal; returns whether it was queued: False if the parent has ended.

        Raises:
            InvalidInput: this agent has no parent; an empty name, or a payload that is not JSON.
            PayloadTooLarge: it is larger than the limit.
        """
        name = checked_text(name, "a signal's name")
        if not self.has_parent:
            raise InvalidInput(
                f"agent {self._port.execution_id!r} has no parent to send signal {name!r} to. Ask ctx.has_parent first."
            )
        value = encode(payload, what=f"signal {name!r}", limit=self._port.payload_limit)
        return await self._port.signal_parent(name, value)

    async def cancel_child(
        self, child: ChildHandle[Any], mode: CancellationMode | None = None, reason: str | None = None
    ) -> CancelTaskResult:
        """Cancel a child, with all that it has spawned, the deepest first. No answer is an error.

        Args:
            child: which.
            mode: ``CancellationMode.graceful(timeout)``, the default, or ``CancellationMode.hard()``.
            reason: why, in words; its code, and all under it, see them.

        Returns:
            What the request met. CANCELLED: this request began the cancellation; awaiting the child tells when it has
            ended.
        """
        (mine,) = self._own_children((child,))
        how = CancellationMode.GRACEFUL if mode is None else mode
        if not isinstance(how, CancellationMode):
            raise InvalidInput(f"mode is {mode!r}. Give CancellationMode.graceful(…) or CancellationMode.hard().")
        within_ms = None if how.timeout is None else milliseconds(how.timeout, "timeout")
        cause = cause_by(self._port, CancelSource.REQUEST, checked_reason(reason))
        return await self._port.cancel_child(mine.child_id, cause, hard=how.is_hard, within_ms=within_ms)

    async def handoff_to_agent(
        self, agent: AgentDefinition[Any, Any] | str, agent_input: Any = None, options: HandoffOptions | None = None
    ) -> Any:
        """Let another agent do the rest.

        Returns:
            Its result; None at once with HandoffCompletion.IMMEDIATE, where it goes on by itself.

        Raises:
            ChildFailed: it failed.
            ChildCancelled: it was cancelled.
        """
        given = options or HandoffOptions()
        completion = checked_choice(HandoffCompletion, given.completion, "completion")
        spawn = given.spawn
        if completion is HandoffCompletion.IMMEDIATE and spawn.parent_close is None:
            spawn = dataclasses.replace(spawn, parent_close=ParentClosePolicy.ABANDON)
        child: ChildHandle[Any] = await self.spawn_agent(agent, agent_input, spawn)
        return None if completion is HandoffCompletion.IMMEDIATE else await child

    # -- what this agent may use up --

    @property
    def budget(self) -> Budget | None:
        """What this agent may use up, as whoever spawned it has said; None is no limit."""
        return self._port.budget

    @property
    def usage(self) -> Usage:
        """What it has reported to have used up so far."""
        return self._usage

    def remaining_budget(self) -> Budget | None:
        """What is left of its budget, each part 0 or more; None is no limit."""
        budget, used = self.budget, self._usage
        if budget is None:
            return None
        tokens, cost = budget.max_tokens, budget.max_cost_usd
        return Budget(
            max_tokens=None if tokens is None else max(0, tokens - used.tokens),
            max_cost_usd=None if cost is None else max(0.0, cost - used.cost_usd),
            max_tokens_per_call=budget.max_tokens_per_call,
        )

    async def report_usage(self, tokens: int | TokenUsage, cost_usd: float = 0.0) -> None:
        """Say what one call of a language model has used up. Recorded; whoever spawned this agent is told the sum.

        Args:
            tokens: how many, or what the call said of its tokens.
            cost_usd: what it cost, in US dollars.

        Raises:
            BudgetExceeded: more is used up than the budget allows. Left to pass, it fails the agent, and its parent
                gets ChildBudgetExceeded.
            InvalidInput: a number that cannot be meant.
        """
        used = _usage_of(tokens, cost_usd)
        await self._port.tell_cancel()
        self._port.report_usage(used)
        self._usage += used
        self._check_budget(used)

    def _check_budget(self, call: Usage) -> None:
        budget = self.budget or Budget()
        limits = (
            ("max_tokens", budget.max_tokens, self._usage.tokens),
            ("max_cost_usd", budget.max_cost_usd, self._usage.cost_usd),
            ("max_tokens_per_call", budget.max_tokens_per_call, call.tokens),
        )
        for name, limit, used in limits:
            if limit is not None and used > limit:
                raise BudgetExceeded(name, limit, used)

    def _own_children(self, children: Sequence[ChildHandle[Any]]) -> Sequence[ChildHandle[Any]]:
        """The same handles, if they are of this agent's children."""
        if isinstance(children, ChildHandle):
            raise InvalidInput(f"{children!r} is one child, where several are wanted. Give a list, or await it alone.")
        children = tuple(children)
        for child in children:
            if not isinstance(child, ChildHandle):
                raise InvalidInput(f"{child!r} is no handle of a child. Give what spawn_agent() returned.")
            if parent_of(child) is not self:
                raise ForeignFuture(
                    f"agent {child.child_id!r} ({child.kind!r}) was spawned by agent "
                    f"{parent_of(child)._port.execution_id!r}, not by {self._port.execution_id!r}. Only its own parent "
                    "can wait for it, signal it or cancel it; pass its result on instead."
                )
        return children


def _events(handles: Sequence[ChildHandle[Any]], settled: ChildrenSettled) -> list[ChildEvent]:
    """All that was told, in the order of time."""
    by_id = {handle.child_id: handle for handle in handles}
    signals = list(settled.signals)
    events: list[ChildEvent] = []
    for count, end in enumerate(settled.ended):
        while signals and signals[0].after <= count:
            events.append(event_of_signal(signals.pop(0)))
        events.append(event_of_end(by_id[end.child_id], end))
    return [*events, *map(event_of_signal, signals)]


def _ids(handles: Sequence[ChildHandle[Any]]) -> tuple[ExecutionId, ...]:
    return tuple(dict.fromkeys(handle.child_id for handle in handles))


def _options_from(options: SpawnOptions | None, keywords: SpawnKeywords) -> SpawnOptions:
    if options is not None and not isinstance(options, SpawnOptions):
        raise InvalidInput(f"options is {options!r}. Give SpawnOptions(…), or its fields as keywords.")
    try:
        return dataclasses.replace(options or _NO_OPTIONS, **keywords)
    except TypeError:
        known = ", ".join(SpawnKeywords.__annotations__)
        unknown = ", ".join(keywords.keys() - SpawnKeywords.__annotations__.keys())
        raise InvalidInput(f"spawn_agent() has no option {unknown}. It has: {known}.") from None


def _resolved(given: SpawnOptions) -> tuple[ChildOptions, str | None]:
    if given.budget is not None and not isinstance(given.budget, Budget):
        raise InvalidInput(f"budget is {given.budget!r}. Give Budget(max_tokens=…), or None for no limit.")
    key = given.idempotency_key
    options = ChildOptions(
        queue=None if given.queue is None else checked_text(given.queue, "a queue's name"),
        labels=checked_labels(given.labels or {}),
        parent_close=checked_choice(ParentClosePolicy, given.parent_close or ParentClosePolicy.CANCEL, "parent_close"),
        persistence=checked_choice(Persistence, given.persistence or Persistence.FULL, "persistence"),
        budget=given.budget,
    )
    return options, None if key is None else checked_text(key, "an idempotency key")


def _usage_of(tokens: int | TokenUsage, cost_usd: float) -> Usage:
    count = tokens.input_tokens + tokens.output_tokens if isinstance(tokens, TokenUsage) else tokens
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise InvalidInput(f"tokens is {tokens!r}. Give a whole number, 0 or more, or a TokenUsage.")
    if isinstance(cost_usd, bool) or not isinstance(cost_usd, int | float) or not 0 <= cost_usd < math.inf:
        raise InvalidInput(f"cost_usd is {cost_usd!r}. Give US dollars, 0 or more.")
    return Usage(count, float(cost_usd))
