"""The workflows that this worker runs: it claims one, runs a pass over its code, and submits what that led to."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from rescind.authoring.conversion import encode
from rescind.authoring.registry import Registry
from rescind.authoring.workflow import WorkflowDefinition
from rescind.backends.native.workflow_port import Step
from rescind.backends.native.workflow_run import PassResult, WorkflowRun, failure_command
from rescind.errors import DeterminismViolation, RequestError, RescindError, ServerUnavailable, StoreError
from rescind.model.ids import ExecutionId
from rescind.model.operations import StepRecorded
from rescind.model.workflow_commands import FailWorkflow, PassStatus
from rescind.model.workflows import PASS_CLAIM_MS, WorkflowClaimed
from rescind.runtime.failures import failure_of
from rescind.runtime.workflow_ports import WorkflowPort
from rescind.telemetry.at_work import AT_WORK
from rescind.worker.held_claims import HeldClaims
from rescind.worker.side_effects import SideEffects

_LOG: Final = logging.getLogger("rescind.worker")

DEFAULT_WORKFLOW_SLOTS: Final = 100
"""How many passes over workflows a worker runs at once, unless set otherwise."""

_KEPT_RUNS: Final = 1_000
"""How many workflows that wait are kept in memory; others are replayed when their turn comes."""

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 10.0

_UNANSWERED: Final = (ServerUnavailable, StoreError)
"""Whether the server has taken what it was told is not known, or it cannot take anything now."""
_FIRST_PAUSE_TO_REPEAT: Final = 0.5
_LONGEST_PAUSE_TO_REPEAT: Final = 8.0
_LONGEST_REPEATING: Final = 0.75 * PASS_CLAIM_MS / 1_000
"""How long a submission is repeated, in seconds: behind that its claim ends anyway."""
_LONGEST_REPEATING_AT_THE_END: Final = 7.5
"""How long a worker repeats it that stops."""


class WorkflowRuns:
    """Claims workflows, one poll per queue, and runs their passes side by side."""

    def __init__(
        self,
        registry: Registry[WorkflowDefinition[Any, Any]],
        port: WorkflowPort,
        queues: Iterable[str],
        *,
        slots: int = DEFAULT_WORKFLOW_SLOTS,
        payload_limit: int,
        worker: str,
    ) -> None:
        self._registry = registry
        self._port = port
        self._queues = tuple(queues)
        self._free = asyncio.Semaphore(slots)
        self._payload_limit = payload_limit
        self._worker = worker
        self._polls: list[asyncio.Task[None]] = []
        self._passes: set[asyncio.Task[None]] = set()
        self._is_leaving = False
        # Suspended at their awaits, the one that was run last at the end.
        self._kept: OrderedDict[ExecutionId, WorkflowRun] = OrderedDict()
        self._effects = SideEffects()
        self._held = HeldClaims(port)

    def __len__(self) -> int:
        return len(self._kept)

    def start(self) -> None:
        """Claim from now on."""
        loop = asyncio.get_running_loop()
        self._polls = [
            loop.create_task(self._poll(queue), name=f"rescind workflows of {queue}") for queue in self._queues
        ]

    async def drain(self) -> None:
        """Claim nothing new, and return when the passes that run have been submitted."""
        self._is_leaving = True
        for poll in self._polls:
            poll.cancel()
        if self._polls or self._passes:
            await asyncio.wait([*self._polls, *self._passes])

    def close(self) -> None:
        """End at once, telling nobody; forget everything."""
        for task in (*self._polls, *self._passes):
            task.cancel()
        for run in self._kept.values():
            run.discard()
        self._kept.clear()
        self._effects.close()

    async def _poll(self, queue: str) -> None:
        pause, said = _FIRST_PAUSE, ""
        while True:
            await self._free.acquire()
            claimed: WorkflowClaimed | None = None
            try:
                claimed = await self._port.claim(queue, self._cleanup_budgets())
                pause, said = _FIRST_PAUSE, ""
            except RescindError as error:
                # That the server is away, the session says; and of the same reason once is enough.
                is_known = isinstance(error, ServerUnavailable) or str(error) == said
                level = logging.DEBUG if is_known else logging.WARNING
                said = str(error)
                _LOG.log(level, "no workflows of queue %s can be claimed, and it is tried again: %s", queue, error)
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            finally:
                if claimed is None:
                    self._free.release()
            if claimed is not None:
                self._begin_pass(claimed)

    def _cleanup_budgets(self) -> dict[str, int]:
        """By kind: definitions may be registered at any time."""
        return {each.kind: each.cleanup_budget_ms for each in self._registry}

    def _begin_pass(self, claimed: WorkflowClaimed) -> None:
        begun = asyncio.get_running_loop().create_task(self._pass(claimed), name=f"rescind workflow {claimed.kind}")
        self._passes.add(begun)
        begun.add_done_callback(self._pass_ended)

    def _pass_ended(self, ended: asyncio.Task[None]) -> None:
        self._passes.discard(ended)
        self._free.release()

    async def _pass(self, claimed: WorkflowClaimed) -> None:
        try:
            run = await self._advanced(claimed)
            is_over = True
            try:
                await self._make_side_effects(claimed, run)
                await self._submit(claimed, run.result())
                is_over = run.has_ended
            finally:
                if is_over:
                    run.discard()
        except DeterminismViolation as violation:
            _LOG.warning("workflow %s has left the path of its log: %s", claimed.execution_id, violation)
            await self._fail(claimed, failure_command(violation))
        except RequestError as error:
            # Its claim is void, and others run it; or else a command is bad, and would be again.
            _LOG.info("a pass over workflow %s was refused: %s", claimed.execution_id, error)
            await self._fail(claimed, FailWorkflow(str(error), failure=failure_of(error)))
        except _UNANSWERED as error:
            # Another pass is made: at once if this is heard, else when the claim has ended.
            _LOG.warning("whether a pass over workflow %s was recorded is not known: %s", claimed.execution_id, error)
            await self._give_back(claimed)
        except Exception:  # the claim is given back, and the other workflows of this worker run on
            # Ours, not the workflow's: its own errors end in its answer.
            _LOG.exception("workflow %s could not be run", claimed.execution_id)
            await asyncio.sleep(_FIRST_PAUSE)
            await self._give_back(claimed)
        else:
            if not is_over:
                self._keep(run)

    async def _advanced(self, claimed: WorkflowClaimed) -> WorkflowRun:
        """The run of a workflow, given all of its log: the one that is kept, if it can go on, else a new one."""
        kept = self._kept.pop(claimed.execution_id, None)
        if kept is not None:
            try:
                # Another worker may have run passes in between: a kept run follows them like any replay.
                if kept.seen <= claimed.sequence:
                    kept.advance(await self._port.events(claimed, kept.seen))
                    return kept
            except DeterminismViolation:
                _LOG.debug("the kept run of workflow %s does not fit its log; it is replayed", claimed.execution_id)
            except BaseException:  # most of all a cancel of this pass: nobody else forgets the run
                kept.discard()
                raise
            kept.discard()
        definition = self._registry.get(claimed.kind)
        run = WorkflowRun(definition, claimed, payload_limit=self._payload_limit, worker=self._worker)
        try:
            run.advance(await self._port.events(claimed, 0))
        except BaseException:  # likewise
            run.discard()
            raise
        return run

    async def _make_side_effects(self, claimed: WorkflowClaimed, run: WorkflowRun) -> None:
        steps = run.new_steps()
        if not steps:
            return
        with self._held.holding(claimed):
            if len(steps) == 1:
                await self._make(run, steps[0])
            else:
                await asyncio.gather(*(self._make(run, step) for step in steps))

    async def _make(self, run: WorkflowRun, step: Step) -> None:
        AT_WORK.set(run.at_work)
        assert step.function is not None
        try:
            result = await self._effects.call(step.function)
            value = encode(result, what=f"result of step {step.name!r}", limit=self._payload_limit)
            step.recorded = StepRecorded(value)
        except (Exception, SystemExit) as error:  # the step's own code: whatever it raises is its outcome
            step.recorded = StepRecorded(failure=failure_of(error))

    async def _submit(self, claimed: WorkflowClaimed, result: PassResult) -> None:
        """Submit a pass; again, if whether it was recorded is not known: a repeat changes nothing."""
        await self._repeated(
            lambda: self._port.submit(
                claimed, result.commands, result.status, result.seen, cleaning_up=result.cleaning_up
            )
        )

    async def _give_back(self, claimed: WorkflowClaimed) -> None:
        """Let another pass be made. A worker that stops need not: all that it has claimed goes to others."""
        if self._is_leaving:
            return
        try:
            await self._repeated(lambda: self._port.release(claimed))
        except RescindError as error:
            _LOG.debug("workflow %s could not be given back: %s", claimed.execution_id, error)

    async def _repeated(self, call: Callable[[], Awaitable[None]]) -> None:
        """Make a call that may be repeated until it was answered; when that takes too long, raise its last error."""
        loop = asyncio.get_running_loop()
        begun, pause = loop.time(), _FIRST_PAUSE_TO_REPEAT
        while True:
            try:
                await call()
                return
            except _UNANSWERED:
                longest = _LONGEST_REPEATING_AT_THE_END if self._is_leaving else _LONGEST_REPEATING
                if loop.time() + pause - begun > longest:
                    raise
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE_TO_REPEAT, pause * 2)

    async def _fail(self, claimed: WorkflowClaimed, command: FailWorkflow) -> None:
        """End a workflow that cannot go on: otherwise it would be claimed, and refused, for ever."""
        try:
            await self._port.submit(claimed, (command,), PassStatus.FAILED, claimed.sequence, cleaning_up=False)
        except RescindError as error:
            _LOG.debug("workflow %s is not this worker's any more: %s", claimed.execution_id, error)

    def _keep(self, run: WorkflowRun) -> None:
        before = self._kept.pop(run.execution_id, None)
        if before is not None:
            before.discard()
        self._kept[run.execution_id] = run
        if len(self._kept) > _KEPT_RUNS:
            _, oldest = self._kept.popitem(last=False)
            oldest.discard()
