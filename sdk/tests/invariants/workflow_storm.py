"""Workers, clients, time and crashes, in an order that a seed decides, around one engine and a real file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Final

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import CancelExecution, CancelTaskFromOutside, Command, Deferred, Reply, SignalExecution
from rescind.model.ids import ExecutionId, Instant, WorkerId, task_id_from_key
from rescind.model.messages import TaskActivation, TaskReported, WorkerJoined
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.outcome import Failure
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.status import ExecutionStatus, FailureKind
from rescind.model.workflow_commands import (
    AnyWorkflowCommand,
    CancelTask,
    CancelTimer,
    CancelWorkflow,
    CompleteWorkflow,
    CreatePromise,
    FailWorkflow,
    PassStatus,
    RequestCancelChildWorkflow,
    ResolvePromise,
    ScheduleChildWorkflow,
    ScheduleTask,
    SetState,
    StartTimer,
)
from rescind.model.workflow_events import LoggedEvent
from rescind.model.workflows import (
    HoldWorkflows,
    PollWorkflow,
    RetryWorkflow,
    SettlePromise,
    SignalWithStart,
    StartWorkflow,
    Submitted,
    SubmitWorkflowCommands,
    WithdrawPoll,
    WorkerGone,
    WorkflowClaimed,
)
from rescind_server.engine.entities import Execution
from rescind_server.engine.machine import Engine
from rescind_server.engine.state import Decision
from rescind_server.engine.viewing import execution_view
from rescind_server.engine.workflow_entities import workflow_of
from rescind_server.engine.workflow_viewing import workflow_view
from rescind_server.store.sqlite import SqliteStore
from server_stub.tests.engine.laws import check_memory
from server_stub.tests.engine.workflow_laws import check_log, check_workflows

QUARTER_MS: Final = 250
LEASE_MS: Final = 4 * QUARTER_MS
PASS_MS: Final = 6 * QUARTER_MS
"""Longer than a lease: a sign of life of the worker keeps the claim, and alone not for ever."""
WORKERS: Final = ("a", "b", "c")
ROOTS: Final = ("one", "two")
DEEPEST: Final = 3
AGAIN: Final = TaskOptions(retry=RetryPolicy(max_attempts=2, initial_interval_ms=QUARTER_MS))
BROKE: Final = Failure(FailureKind.ERROR, "it broke", "ValueError")
CAUSE: Final = CancelCause(CancelSource.REQUEST, "client:storm", "no longer needed")


class Storm:
    """What one seed brings about. Nobody is told anything that is not in the file.

    Attributes:
        logs: what is in the file of each workflow's log.
        told: the claims that were told to somebody, each once.
        crashes: how often the server was lost.
        given_up: how many submissions never came, from workers that lived on.
    """

    def __init__(self, seed: int, path: Path) -> None:
        self._chance = Random(seed)
        self._seed = seed
        self._path = path
        self._now = Instant(1_000_000)
        self._store = SqliteStore(path, durability="normal")
        self._engine = Engine(seed=seed, lease_ms=LEASE_MS)
        self._pending: list[Decision] = []
        self._closed: dict[ExecutionId, Execution] = {}
        self._held: list[WorkflowClaimed] = []
        self._sent: list[SubmitWorkflowCommands] = []
        self._attempts: list[TaskActivation] = []
        self._polls = 0
        self._session = 0
        self._things = 0
        self.logs: dict[ExecutionId, list[LoggedEvent]] = {}
        self.told: set[tuple[ExecutionId, int]] = set()
        self.crashes = self.given_up = 0
        self._join()

    # ── what happens ────────────────────────────────────────────────────────────────────────────────────────────────

    async def rage(self, steps: int) -> None:
        """Let so many things happen, and commit and crash in between."""
        for root in ROOTS:
            self._ask(StartWorkflow("flow", execution_id=_id(root), timeout_ms=None))
        happenings = (self._poll, self._poll, self._submit, self._submit, self._submit, self._submit, self._disturb,
                      self._end_task, self._end_task, self._pass_time, self._pass_time, self._hold)  # fmt: skip
        for _ in range(steps):
            self._chance.choice(happenings)()
            chance = self._chance.random()
            if chance < 0.04:
                await self._crash()
            elif chance < 0.5:
                await self._commit()

    async def calm_down(self) -> None:
        """Nobody is disturbed any more: whatever is open comes to its end.

        All workers live and poll on. What they have forgotten, or never submit, goes to others all the same.
        """
        await self._commit()
        self._held.clear()
        for _ in range(100):
            open_ids = [each for each in self._engine.execution_ids() if not self._execution(each).ended]
            if not open_ids:
                break
            for execution_id in open_ids:
                self._ask(SignalExecution(execution_id, "end"))
            await self._commit()
            for worker in WORKERS:
                self._ask(PollWorkflow(f"calm {self._next()}", WorkerId(worker), wait_ms=0, pass_ms=PASS_MS))
            await self._commit()
            for claimed in self._held:
                if self._chance.random() < 0.2:
                    self.given_up += 1
                    continue
                last = CompleteWorkflow() if claimed.cause is None else CancelWorkflow()
                status = PassStatus.COMPLETED if claimed.cause is None else PassStatus.CANCELLED
                self._ask(SubmitWorkflowCommands(claimed.execution_id, (last,), status, claimed.claim))
            self._held.clear()
            for activation in self._attempts:
                self._ask(TaskReported(activation.task_id, activation.lease, NULL_PAYLOAD))
            self._attempts.clear()
            self._wait(4 * QUARTER_MS)
            await self._commit()
        left = [self._execution(each).status for each in self._engine.execution_ids()]
        assert not left, f"workflows that nothing ends: {left}"

    def close(self) -> None:
        """Let the file go."""
        self._store.close()

    def _poll(self) -> None:
        name = f"poll {self._next()}"
        worker = WorkerId(self._chance.choice(WORKERS))
        wait_ms = self._chance.choice((0, QUARTER_MS, None))
        lease_ms = self._chance.choice((None, LEASE_MS))
        self._ask(PollWorkflow(name, worker, wait_ms=wait_ms, lease_ms=lease_ms, pass_ms=PASS_MS))
        if self._chance.random() < 0.1:
            self._ask(WithdrawPoll(name))

    def _hold(self) -> None:
        """A worker says which passes it makes still; those of others among them are not its own."""
        claims = tuple((each.execution_id, each.claim) for each in self._held)
        self._ask(HoldWorkflows(WorkerId(self._chance.choice(WORKERS)), claims, PASS_MS))

    def _submit(self) -> None:
        """A pass comes in; one in eight once more, or much too late."""
        if self._sent and self._chance.random() < 0.12:
            self._ask(self._chance.choice(self._sent))
        if not self._held:
            return
        claimed = self._held.pop(self._chance.randrange(len(self._held)))
        commands, status = self._pass_over(claimed)
        command = SubmitWorkflowCommands(
            claimed.execution_id,
            commands,
            status,
            None if self._chance.random() < 0.3 else claimed.claim,
            None if self._chance.random() < 0.3 else claimed.sequence + 1,
            cleaning_up=self._chance.random() < 0.5,
        )
        if self._chance.random() < 0.95:
            self._sent.append(command)
            self._ask(command)

    def _pass_over(self, claimed: WorkflowClaimed) -> tuple[tuple[AnyWorkflowCommand, ...], PassStatus]:
        commands = [self._command(claimed.execution_id) for _ in range(self._chance.randrange(4))]
        end = self._chance.random()
        if claimed.cause is not None and end < 0.5:
            return (*commands, CancelWorkflow()), PassStatus.CANCELLED
        if end < 0.1:
            return (*commands, CompleteWorkflow()), PassStatus.COMPLETED
        # Children often: their parents are to hear of it while they are open.
        if end < (0.5 if self._depth(claimed.execution_id) else 0.15):
            return (*commands, FailWorkflow("it broke")), PassStatus.FAILED
        return tuple(commands), PassStatus.SUSPENDED

    def _command(self, execution_id: ExecutionId) -> AnyWorkflowCommand:
        execution = self._engine.execution(execution_id)
        workflow = workflow_of(execution) if execution is not None else None
        number = self._next()
        timers = list(workflow.timers) if workflow is not None else []
        children = list(workflow.children) if workflow is not None else []
        tasks = list(execution.tasks) if execution is not None else []
        promises = list(workflow.promises) if workflow is not None else []
        choices: list[AnyWorkflowCommand] = [
            StartTimer(f"timer {number}", self._chance.randrange(4) * QUARTER_MS),
            ScheduleTask("work", task_id_from_key(f"task {number}"), options=AGAIN),
            CreatePromise(f"promise {number}", self._chance.choice((None, QUARTER_MS))),
            SetState("key"),
            RequestCancelChildWorkflow(self._chance.choice((*children, _id("nobody")))),
        ]
        choices += [CancelTimer(each) for each in timers[-2:]] * 2
        choices += [RequestCancelChildWorkflow(each) for each in children[-2:]]
        choices += [CancelTask(each, CAUSE) for each in tasks[-2:]]
        choices += [ResolvePromise(each) for each in promises[-1:]]
        if self._depth(execution_id) < DEEPEST:
            # Seldom one that may be used already: it refuses all of the submission.
            name = self._chance.choice(("left", *(f"child {number}",) * 5))
            start = ScheduleChildWorkflow(name, "flow", _id(f"child {number}"), abandon=self._chance.random() < 0.2)
            choices += [start, start]
        return self._chance.choice(choices)

    def _disturb(self) -> None:
        """Somebody from outside."""
        known = self._chance.choice([*self.logs, _id(ROOTS[0])])
        execution = self._engine.execution(known)
        number = self._next()
        choices: list[Command] = [
            CancelExecution(known, CAUSE, hard=self._chance.random() < 0.3),
            SignalExecution(known, "go"),
            SignalWithStart(StartWorkflow("flow", idempotency_key=self._chance.choice(("k", "l"))), "go"),
            StartWorkflow("flow", idempotency_key=self._chance.choice(("k", "l"))),
            StartWorkflow("flow", timeout_ms=2 * QUARTER_MS, execution_id=_id(f"brief {number}")),
            WorkerGone(WorkerId(self._chance.choice(WORKERS))),
            RetryWorkflow(known),
        ]
        if execution is not None and execution.workflow is not None:
            choices += [SettlePromise(each) for each in execution.workflow.promises]
            choices += [CancelTaskFromOutside(known, each, CAUSE) for each in execution.tasks]
        self._ask(self._chance.choice(choices))

    def _end_task(self) -> None:
        if self._attempts:
            activation = self._attempts.pop(self._chance.randrange(len(self._attempts)))
            failure = BROKE if self._chance.random() < 0.4 else None
            output = NULL_PAYLOAD if failure is None else None
            self._ask(TaskReported(activation.task_id, activation.lease, output, failure))

    def _pass_time(self) -> None:
        """Time passes; what comes due is decided now, or only after what comes in at the very same instant."""
        if self._chance.random() < 0.5:
            self._wait(self._chance.randrange(3) * QUARTER_MS)
        else:
            self._now = Instant(self._now + QUARTER_MS * 1_000)

    def _wait(self, milliseconds: int) -> None:
        self._now = Instant(self._now + milliseconds * 1_000)
        while (decision := self._engine.come_due(self._now)) is not None:
            self._take(decision)

    # ── the machine ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _ask(self, command: Command) -> None:
        execution_id = getattr(command, "execution_id", None)
        closed = None
        if execution_id is not None and not self._engine.holds(execution_id):
            closed = self._closed.get(execution_id)
        decision = self._engine.decide(command, self._now, closed, away=self._closed)
        reply = decision.reply
        if isinstance(reply, Submitted) and reply.repeated:
            assert not decision.logged, "a repeated submission was recorded again"
        self._take(decision)

    def _take(self, decision: Decision) -> None:
        for execution in decision.closed:
            self._closed[execution.execution_id] = execution
        self._pending.append(decision)
        check_workflows(self._engine, restores=len(self._pending) % 4 == 1)
        check_memory(self._engine)

    async def _commit(self) -> None:
        """What was decided becomes durable; then those who wait are told."""
        decisions, self._pending = self._pending, []
        for decision in decisions:
            for execution, logged in decision.logged:
                self.logs.setdefault(execution.execution_id, []).append(logged)
        await self._store.commit(decisions)
        closed = [each.execution_id for decision in decisions for each in decision.closed]
        self._closed |= self._store.committed_among(closed)
        for decision in decisions:
            late: Iterable[Reply] = [reply for _, reply in decision.late]
            for reply in (decision.reply, *late):
                if isinstance(reply, WorkflowClaimed):
                    assert (reply.execution_id, reply.claim) not in self.told, "one claim was given to two"
                    self.told.add((reply.execution_id, reply.claim))
                    self._held.append(reply)
                assert not isinstance(reply, Deferred) or reply.number > 0
            self._attempts += [message for _, message in decision.pushes if isinstance(message, TaskActivation)]

    async def _crash(self) -> None:
        """The server is gone in the middle; another goes on from the file. Workers still hold what they were told."""
        self.crashes += 1
        was = None if self._pending else self._seen()
        self._pending = []
        self._store.close()
        self._store = SqliteStore(self._path, durability="normal")
        self._engine = Engine(seed=self._seed + self.crashes, lease_ms=LEASE_MS)
        loaded = self._store.load()
        decision = self._engine.restore(*loaded, self._now)
        assert was is None or self._seen() == was, "what is restored is not what was"
        self._closed = {
            each: execution
            for each, execution in self._store.committed_among(list(self.logs)).items()
            if not self._engine.holds(each)
        }
        for execution_id, log in self.logs.items():
            assert list(self._store.workflow_log(execution_id)) == log, "what was told is not in the file"
            check_log(log)
        self._take(decision)
        self._join()
        await self._commit()

    def _join(self) -> None:
        """The worker of tasks begins a session, with what it still runs."""
        self._session += 1
        running = tuple(sorted(activation.lease for activation in self._attempts))
        self._take(
            self._engine.decide(
                WorkerJoined(WorkerId("tasks"), self._session, ("default",), tasks=("work",), running=running),
                self._now,
            )
        )

    def _seen(self) -> Sequence[tuple[object, ...]]:
        executions = [self._execution(each) for each in self._engine.execution_ids()]
        return [
            (
                execution_view(each),
                workflow_view(each),
                workflow_of(each).log,
                [(task.task_id, task.status.value) for task in each.tasks.values()],
                _deadlines(each),
            )
            for each in sorted(executions, key=lambda each: each.order)
        ]

    def _execution(self, execution_id: ExecutionId) -> Execution:
        execution = self._engine.execution(execution_id)
        assert execution is not None
        return execution

    def _depth(self, execution_id: ExecutionId) -> int:
        depth = 0
        execution = self._engine.execution(execution_id)
        while execution is not None and execution.parent_id is not None:
            depth += 1
            execution = self._engine.execution(execution.parent_id)
        return depth

    def _next(self) -> int:
        self._things += 1
        return self._things

    def statuses(self) -> dict[ExecutionId, ExecutionStatus]:
        """How each workflow stands in the file."""
        return {each: found.status for each, found in self._store.committed_among(list(self.logs)).items()}


def _deadlines(execution: Execution) -> list[Instant]:
    """When something of a workflow comes due: its timers and promises, and its own time."""
    workflow = workflow_of(execution)
    deadlines = [workflow.timeout]
    deadlines += [each.deadline for each in workflow.timers.values()]
    deadlines += [each.deadline for each in workflow.promises.values()]
    return [each.due for each in deadlines if each is not None and each.subject is not None]


def _id(name: str) -> ExecutionId:
    return ExecutionId(task_id_from_key(f"workflow {name}"))
