"""What an agent does with tasks: schedule, race, join, cancel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, Unpack, overload
from uuid import UUID

from rescind.authoring.task import TaskDefinition
from rescind.errors import ForeignFuture, InvalidInput
from rescind.model.agent_values import JoinAllTimeoutResult, Losers, ReplaceAfter, SettledResult, TaskOutcome
from rescind.model.cause import CancelSource
from rescind.model.operations import WaitCondition
from rescind.model.options import ScheduleAgentTaskOptions
from rescind.model.status import CancelMode, CancelTaskResult, StopState
from rescind.model.texts import checked_choice, checked_reason, checked_task_id
from rescind.runtime import combinators
from rescind.runtime.future import AgentTaskFuture, AgentTaskFutureRaw, owner, wire_id
from rescind.runtime.ports import DurablePort
from rescind.runtime.scheduling import OptionKeywords, Prepared, options_from, prepare, prepare_either, prepare_raw
from rescind.runtime.scope import innermost_scope
from rescind.runtime.task_results import outcome_of

T = TypeVar("T")
InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


class AgentTasks:
    """Tasks, as an agent sees them.

    Scheduling is lazy: nothing leaves the agent until it awaits, then everything pending leaves in one batch.
    """

    _port: DurablePort

    @overload
    def schedule(
        self, task: TaskDefinition[None, OutputT], /, **options: Unpack[OptionKeywords]
    ) -> AgentTaskFuture[OutputT]: ...

    @overload
    def schedule(
        self, task: TaskDefinition[InputT, OutputT], argument: InputT, /, **options: Unpack[OptionKeywords]
    ) -> AgentTaskFuture[OutputT]: ...

    def schedule(
        self, task: TaskDefinition[Any, Any], argument: Any = None, /, **options: Unpack[OptionKeywords]
    ) -> AgentTaskFuture[Any]:
        """Schedule a task by its function.

        Args:
            task: what ``@task`` made.
            argument: its input.
            options: see ScheduleAgentTaskOptions; what is left out is taken from ``@task``.

        Returns:
            Its future; ``await future`` gives its result.

        Raises:
            InvalidInput: the argument is not JSON or not of the declared type; an option cannot be meant.
            PayloadTooLarge: the argument is larger than the limit.
        """
        return self._submit(prepare(task, argument, options_from(None, options), self._port.payload_limit))

    def schedule_raw(
        self,
        kind: str,
        task_input: Any = None,
        options: ScheduleAgentTaskOptions | None = None,
        /,
        **keywords: Unpack[OptionKeywords],
    ) -> AgentTaskFutureRaw:
        """Schedule a task by its kind, with any JSON value as its input.

        Args:
            kind: the task's kind; some worker must know it, this one need not.
            task_input: a JSON value.
            options: see ScheduleAgentTaskOptions; keywords go before what it says.

        Raises:
            InvalidInput: the kind is empty, the input is not JSON, an option cannot be meant.
            PayloadTooLarge: the input is larger than the limit.
        """
        return self._submit(prepare_raw(kind, task_input, options_from(options, keywords), self._port.payload_limit))

    def schedule_with_options_raw(
        self, kind: str, task_input: Any, options: ScheduleAgentTaskOptions
    ) -> AgentTaskFutureRaw:
        """The Rust SDK's name for ``schedule_raw(kind, input, options)``."""
        return self.schedule_raw(kind, task_input, options)

    def task_future(self, task_id: UUID | str, kind: str, result_type: Any = None) -> AgentTaskFutureRaw:
        """The future of a task that this agent scheduled before its last checkpoint (`recovery="checkpoint"`).

        An id that this agent has no task for shows when the future is waited for: TaskFailed of kind REJECTED.
        """
        return AgentTaskFutureRaw(self, checked_task_id(task_id), kind, None, result_type)

    async def schedule_task(
        self, kind: str, task_input: Any, result_type: type[T], **options: Unpack[OptionKeywords]
    ) -> T:
        """Schedule a task by its kind and wait for its result, read as `result_type`."""
        future = self.schedule_raw(kind, task_input, **options)
        future.result_type = result_type
        result: T = await future
        return result

    async def result_of(self, future: AgentTaskFutureRaw) -> Any:
        """What ``await future`` does: the value, or TaskFailed, or TaskCancelled."""
        return (await combinators.join_all(self._port, self._own((future,))))[0]

    async def outcome_of(self, future: AgentTaskFutureRaw) -> TaskOutcome:
        """What ``await future.outcome()`` does: how the task stands now. Does not wait for its end."""
        (mine,) = self._own((future,))
        settled = await self._port.await_tasks((wire_id(mine),), WaitCondition.ALL_ENDED, timeout_ms=0)
        return outcome_of(mine, settled.ended[0][1]) if settled.ended else TaskOutcome.pending()

    @overload
    async def join_all(self, futures: Sequence[AgentTaskFuture[T]]) -> list[T]: ...

    @overload
    async def join_all(self, futures: Sequence[AgentTaskFutureRaw]) -> list[Any]: ...

    async def join_all(self, futures: Sequence[AgentTaskFutureRaw]) -> list[Any]:
        """Wait until every task has completed; the values, in input order. Empty input gives an empty list.

        Cancelling the wait, or a failure, leaves the other tasks running.

        Raises:
            TaskFailed: the first that failed, as soon as it does.
            TaskCancelled: the first that was cancelled, as soon as it is.
        """
        return await combinators.join_all(self._port, self._own(futures))

    @overload
    async def join_all_settled(self, futures: Sequence[AgentTaskFuture[T]]) -> SettledResult[T]: ...

    @overload
    async def join_all_settled(self, futures: Sequence[AgentTaskFutureRaw]) -> SettledResult[Any]: ...

    async def join_all_settled(self, futures: Sequence[AgentTaskFutureRaw]) -> SettledResult[Any]:
        """Wait until every task has ended, however; how each did, in input order. Raises nothing for any of them."""
        return await combinators.join_all_settled(self._port, self._own(futures))

    @overload
    async def join_all_with_timeout(
        self, futures: Sequence[AgentTaskFuture[T]], timeout_ms: int, *, confirm_ms: int | None = None
    ) -> JoinAllTimeoutResult[T]: ...

    @overload
    async def join_all_with_timeout(
        self, futures: Sequence[AgentTaskFutureRaw], timeout_ms: int, *, confirm_ms: int | None = None
    ) -> JoinAllTimeoutResult[Any]: ...

    async def join_all_with_timeout(
        self, futures: Sequence[AgentTaskFutureRaw], timeout_ms: int, *, confirm_ms: int | None = None
    ) -> JoinAllTimeoutResult[Any]:
        """Wait until every task has ended, or the time is over; what is still open then is cancelled.

        The deadline is durable: it counts from the first time that this call was reached, also in a recovery.

        Args:
            futures: the tasks.
            timeout_ms: whole milliseconds; 0 looks once and cancels the rest.
            confirm_ms: if given, wait so long for the cancelled ones to have really stopped.
        """
        return await combinators.join_all_with_timeout(self._port, self._own(futures), timeout_ms, confirm_ms)

    @overload
    async def select_ok(self, futures: Sequence[AgentTaskFuture[T]]) -> tuple[T, list[AgentTaskFuture[T]]]: ...

    @overload
    async def select_ok(self, futures: Sequence[AgentTaskFutureRaw]) -> tuple[Any, list[AgentTaskFutureRaw]]: ...

    async def select_ok(self, futures: Sequence[AgentTaskFutureRaw]) -> tuple[Any, Any]:
        """Wait for the first success; give it with the remaining futures, whose tasks go on.

        The winner is the first to complete in the server's order of events, not the first in the list.

        Raises:
            AllTasksFailed: none can succeed any more; carries every cause in input order.
            ValueError: `futures` is empty.
        """
        return await combinators.select_ok(self._port, self._own(futures))

    @overload
    async def select_ok_with_cancel(
        self, futures: Sequence[AgentTaskFuture[T]], *, confirm_ms: int | None = None
    ) -> tuple[T, list[UUID]]: ...

    @overload
    async def select_ok_with_cancel(
        self, futures: Sequence[AgentTaskFutureRaw], *, confirm_ms: int | None = None
    ) -> tuple[Any, list[UUID]]: ...

    async def select_ok_with_cancel(
        self, futures: Sequence[AgentTaskFutureRaw], *, confirm_ms: int | None = None
    ) -> tuple[Any, list[UUID]]:
        """Wait for the first success and cancel the others in the same step.

        Returns:
            The winner's value, and the ids of the tasks that this call cancelled, in input order. A task that had ended
            by itself is not among them.

        Raises:
            AllTasksFailed: none can succeed any more.
            ValueError: `futures` is empty.
        """
        return await combinators.select_ok_with_cancel(self._port, self._own(futures), confirm_ms)

    async def select_n_ok(
        self,
        futures: Sequence[AgentTaskFutureRaw],
        count: int,
        *,
        losers: Losers = Losers.LEAVE,
        confirm_ms: int | None = None,
    ) -> list[tuple[AgentTaskFutureRaw, Any]]:
        """Wait for the first `count` successes; each with its future, in the order in which they came.

        Raises:
            AllTasksFailed: so many have failed that `count` cannot be reached any more.
            ValueError: `futures` is empty, or `count` is not within 1 and their number.
        """
        source = CancelSource.RACE_LOST if checked_choice(Losers, losers, "losers") is Losers.CANCEL else None
        return await combinators.select_n_ok(self._port, self._own(futures), count, source, confirm_ms)

    async def hedge(
        self,
        task: str | TaskDefinition[Any, Any],
        inputs: Sequence[Any],
        stagger_ms: int,
        *,
        confirm_ms: int | None = None,
        **options: Unpack[OptionKeywords],
    ) -> Any:
        """Start one task per input, one after the other, until one succeeds; the others are then cancelled.

        The next is started after `stagger_ms`, or at once when one has failed.

        Raises:
            AllTasksFailed: every one failed.
            ValueError: `inputs` is empty.
        """

        limit = self._port.payload_limit
        # All of them before the first starts: a mistake in the last would otherwise show when work is under way.
        prepared = [prepare_either(task, argument, options, limit) for argument in inputs]
        return await combinators.hedge(self._port, self._submit, prepared, stagger_ms, confirm_ms)

    async def replace(
        self,
        old: AgentTaskFutureRaw,
        task: str | TaskDefinition[Any, Any],
        task_input: Any = None,
        *,
        after: ReplaceAfter = ReplaceAfter.DECIDED,
        confirm_ms: int | None = None,
        **options: Unpack[OptionKeywords],
    ) -> AgentTaskFutureRaw:
        """Cancel a task with cause ``replaced``, and schedule another in its place.

        Args:
            old: the task to cancel; one that has ended already is replaced all the same.
            task: the new task's kind or function.
            task_input: its input.
            after: when it begins: when the old one's end is decided, or when its work has stopped.
            confirm_ms: with `after` STOPPED the longest wait for that; otherwise as everywhere.
            options: the new task's options.
        """
        (mine,) = self._own((old,))
        when = checked_choice(ReplaceAfter, after, "after")
        combinators.check_confirm(confirm_ms)
        prepared = prepare_either(task, task_input, options, self._port.payload_limit)
        cause = combinators.cause_by(self._port, CancelSource.REPLACED)
        await self._port.cancel_task(wire_id(mine), cause, CancelMode.TRY)
        if when is ReplaceAfter.STOPPED:
            await self._port.await_stopped((wire_id(mine),), confirm_ms)
        else:
            await combinators.confirm(self._port, (wire_id(mine),), confirm_ms)
        return self._submit(prepared)

    async def cancel_task(
        self,
        task_id: UUID | str,
        reason: str | None = None,
        *,
        mode: CancelMode | None = None,
        confirm_ms: int | None = None,
    ) -> CancelTaskResult:
        """Cancel a task of this agent (cancellation.md, section 3). No answer is an error.

        Args:
            task_id: which.
            reason: why, in words; its code and its history see them.
            mode: TRY (default), WAIT, ABANDON or FORCE, which leaves its work no grace, also where it is being stopped
                already.
            confirm_ms: if given, wait so long for its work to have really stopped.

        Returns:
            What the request met: CANCELLED, ALREADY_CANCELLED, ALREADY_COMPLETED, ALREADY_FAILED or NOT_FOUND.

        Raises:
            InvalidInput: `task_id` is no UUID, `reason` is no text, `mode` is no mode, `confirm_ms` is no time.
        """
        wanted = checked_task_id(task_id)
        how = checked_choice(CancelMode, mode or CancelMode.TRY, "mode")
        combinators.check_confirm(confirm_ms)
        cause = combinators.cause_by(self._port, CancelSource.REQUEST, checked_reason(reason))
        result = await self._port.cancel_task(wanted, cause, how)
        if result.ok:
            await combinators.confirm(self._port, (wanted,), confirm_ms)
        return result

    async def wait_stopped(
        self, task_ids: Sequence[UUID | str | AgentTaskFutureRaw], timeout_ms: int | None = None
    ) -> dict[UUID, StopState | None]:
        """Wait until nothing of these tasks is at work any more, or the time is over.

        Returns:
            The stop state of each task's last attempt; None where nothing had to be stopped.
        """
        if timeout_ms is not None:
            combinators.check_time(timeout_ms, "timeout_ms")
        self._own([task for task in task_ids if isinstance(task, AgentTaskFutureRaw)])
        wanted = [wire_id(task) if isinstance(task, AgentTaskFutureRaw) else checked_task_id(task) for task in task_ids]
        if not wanted:
            return {}
        states = await self._port.await_stopped(wanted, timeout_ms)
        return {UUID(task_id): state for task_id, state in states.items()}

    def _adopt(self, future: AgentTaskFutureRaw) -> None:
        scope = innermost_scope()
        if scope is not None and scope.belongs_to(self._port):
            scope.adopt(wire_id(future))

    def _submit(self, prepared: Prepared) -> AgentTaskFuture[Any]:
        """Schedule what was prepared."""
        kind, argument, payload, queue, options, key, result_type = prepared
        task_id = self._port.schedule(kind, payload, queue, options, key)
        future: AgentTaskFuture[Any] = AgentTaskFuture(self, task_id, kind, argument, result_type)
        self._adopt(future)
        return future

    def _own(self, futures: Sequence[AgentTaskFutureRaw]) -> Sequence[AgentTaskFutureRaw]:
        """The same futures, if they are this agent's."""
        if isinstance(futures, AgentTaskFutureRaw):
            raise InvalidInput(f"{futures!r} is one future, where several are wanted. Give a list, or await it alone.")
        futures = tuple(futures)
        for future in futures:
            if not isinstance(future, AgentTaskFutureRaw):
                raise InvalidInput(f"{future!r} is no task future. Give what schedule() or schedule_raw() returned.")
            if owner(future) is not self:
                raise ForeignFuture(
                    f"task {future.task_id} ({future.kind!r}) was scheduled by {self._port.sort} "
                    f"{owner(future)._port.execution_id!r}, not by {self._port.execution_id!r}. Only its own agent can "
                    "wait for it; pass its result on instead, by output or signal."
                )
        return futures
