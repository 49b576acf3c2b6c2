"""Faults that the tests must notice: texts of the package, and what stands in their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Mutation:
    """One text that replaces another in one module of the package; the other must be there exactly once."""

    name: str
    module: str
    before: str
    after: str


MUTATIONS: Final = (
    Mutation(
        "a cancel that comes when all is over is answered and not recorded",
        "engine/closed.py",
        "            annotate(state, execution, EventType.EXECUTION_CANCEL_REQUESTED, **details)\n",
        "",
    ),
    Mutation(
        "what comes too late takes the number of the event before it",
        "engine/state.py",
        "    execution.sequence += 1\n",
        "",
    ),
    Mutation(
        "what is removed keeps its place among the requests",
        "store/removal.py",
        "        forget_requests(connection, ordinal, left)\n",
        "",
    ),
    Mutation(
        "a result is taken in though the task has ended",
        "engine/attempts.py",
        "    if task.current is not attempt:\n        if not message.cancelled:",
        "    if False:\n        if not message.cancelled:",
    ),
    Mutation(
        "the one door lets an ended task through",
        "engine/endings.py",
        "    if task.outcome is not None:\n        _record_request",
        "    if False:\n        _record_request",
    ),
    Mutation(
        "a wait is not evaluated when it is registered",
        "engine/waits.py",
        "    ended = [task for task in members if task.outcome is not None]",
        "    ended: list[Task] = []",
    ),
    Mutation(
        "an activation's answers are not looked for when the agent suspends",
        "engine/activations.py",
        "    if execution.inbox or (execution.cause is not None and not execution.cancel_told):",
        "    if execution.cause is not None and not execution.cancel_told:",
    ),
    Mutation(
        "an agent in flight is not told of its cancel when it suspends",
        "engine/activations.py",
        "    if execution.inbox or (execution.cause is not None and not execution.cancel_told):",
        "    if execution.inbox:",
    ),
    Mutation(
        "the winner is the first of the list, not of the events",
        "engine/waits.py",
        "        ended.sort(key=lambda task: task.ended_sequence)",
        "        pass",
    ),
    Mutation(
        "a failure wakes a race",
        "engine/waits.py",
        "            return wait.completed >= needed or wait.completed + wait.open < needed",
        "            return bool(wait.ended) or wait.completed + wait.open < needed",
    ),
    Mutation(
        "a race that nobody can win goes on",
        "engine/waits.py",
        "            return wait.completed >= needed or wait.completed + wait.open < needed",
        "            return wait.completed >= needed or wait.open == 0",
    ),
    Mutation(
        "losers are cancelled by a wait that was withdrawn",
        "engine/open_operations.py",
        "        waits.detach(waiting)",
        "        waits.detach(waiting)\n"
        "        if waiting.operation.losers:\n"
        "            waits._cancel_losers(state, waiting, timed_out=False)",
    ),
    Mutation(
        "a pause outlives the cancel",
        "engine/endings.py",
        "            state.deadlines.cancel(deadline)\n        task.deadlines = None",
        "            pass\n        task.deadlines = None",
    ),
    Mutation(
        "work that was asked to stop is tried again",
        "engine/attempts.py",
        " or task.cancel_requested_at is not None\n    # A lost",
        "\n    # A lost",
    ),
    Mutation(
        "a task is claimed when it is scheduled, not at the end of the decision",
        "engine/claims.py",
        "    state.offered.append(task)",
        "    if not _claim_by_someone(state, task):\n        state.offered.append(task)",
    ),
    Mutation(
        "a task that has ended is handed out from the backlog",
        "engine/claims.py",
        "        while backlog and backlog[0].status is not TaskStatus.PENDING:\n            backlog.popleft()\n",
        "",
    ),
    Mutation(
        "what became claimable now overtakes what waits",
        "engine/claims.py",
        "backlog[0].order < oldest.order",
        "backlog[0].order > oldest.order",
    ),
    Mutation(
        "a slot is not freed",
        "engine/stops.py",
        "        worker.running.pop(attempt.lease, None)",
        "        pass",
    ),
    Mutation(
        "a slot is freed when the task is cancelled, not when its work has stopped",
        "engine/stops.py",
        "        attempt.stop_forced_at = state.now\n    _send_first(state, attempt)\n",
        "        attempt.stop_forced_at = state.now\n    _send_first(state, attempt)\n"
        "    end_attempt(state, attempt, StopState.STOPPED)\n",
    ),
    Mutation(
        "a stop record is not ended with the lease",
        "engine/workers.py",
        "    for attempt in list(worker.running.values()):\n        attempts.lose(state, attempt)",
        "    for attempt in [each for each in worker.running.values() if each.stop is None]:\n"
        "        attempts.lose(state, attempt)",
    ),
    Mutation(
        "a stop report is believed in any order",
        "engine/stops.py",
        " or message.state not in STOP_TRANSITIONS[attempt.stop]",
        "",
    ),
    Mutation(
        "a stop order is not repeated to a worker that comes back",
        "engine/workers.py",
        "            stops.send_order(state, attempt)",
        "            pass",
    ),
    Mutation(
        "the end of an old session ends the present one",
        "engine/workers.py",
        " or worker.session != message.session",
        "",
    ),
    Mutation(
        "a timer is not cancelled when it is withdrawn",
        "engine/open_operations.py",
        "    if waiting.deadline is not None:\n        state.deadlines.cancel(waiting.deadline)\n    if isinstance",
        "    if isinstance",
    ),
    Mutation(
        "a cancelled deadline comes all the same",
        "engine/deadlines.py",
        "        deadline.subject = None\n        self._cancelled += 1",
        "        self._cancelled += 0",
    ),
    Mutation(
        "a deadline does not end the waits of an execution",
        "engine/waits.py",
        "            wait.deadline = state.deadlines.set(operation.deadline, DeadlineKind.OPERATION, wait)",
        "            pass",
    ),
    Mutation(
        "a result that came too late is not recorded as discarded",
        "engine/attempts.py",
        "            record(state, task.execution, EventType.RESULT_DISCARDED, task, attempt.number, bytes=size)",
        "            pass",
    ),
    Mutation(
        "a request that lost is not recorded",
        "engine/endings.py",
        "        _record_request(state, task, cause, mode, ALREADY_ENDED[task.status].value)\n",
        "",
    ),
    Mutation(
        "two askers are told CANCELLED",
        "engine/endings.py",
        "        answer = already\n",
        "        pass\n",
    ),
    Mutation(
        "an asker that withdrew is answered",
        "engine/endings.py",
        "        elif waiter.execution.open.get(waiter.position) is waiter:",
        "        elif True:",
    ),
    Mutation(
        "the last cause wins",
        "engine/endings.py",
        "    if task.cancel_cause is None:\n        task.cancel_cause = cause",
        "    task.cancel_cause = cause",
    ),
    Mutation(
        "an agent's batch is taken in twice",
        "engine/executions.py",
        "    if execution.number != message.number or execution.phase is not Phase.IN_FLIGHT:\n        return\n",
        "",
    ),
    Mutation(
        "a side effect of an old run is heard",
        "engine/executions.py",
        "    if execution is None or execution.run != message.run:\n        return\n    step",
        "    if execution is None:\n        return\n    step",
    ),
    Mutation(
        "an unanswered activation is not taken back",
        "engine/activations.py",
        "        execution.inbox[:0] = unanswered.resolutions\n    elif",
        "    elif",
    ),
    Mutation(
        "a new run is not told of the cancel again",
        "engine/activations.py",
        "    execution.cancel_told = any(entry.cancel is not None for entry in execution.journal)\n",
        "",
    ),
    Mutation(
        "an agent that completed beats its accepted cancel",
        "engine/executions.py",
        "ExecutionStatus.COMPLETED if execution.cause is None else ExecutionStatus.CANCELLED",
        "ExecutionStatus.COMPLETED",
    ),
    Mutation(
        "the budget of a clean-up is not watched",
        "engine/execution_endings.py",
        "    execution.cleanup = state.deadlines.set(due, DeadlineKind.CLEAN_UP, execution)\n",
        "",
    ),
    Mutation(
        "an execution's tasks stay when it ends",
        "engine/execution_endings.py",
        "        _cancel_its_tasks(state, execution, cause, hard=hard or tasks_hard)\n",
        "",
    ),
    Mutation(
        "an execution leaves memory while its work runs",
        "engine/machine.py",
        "                and execution.unsettled == 0\n",
        "",
    ),
    Mutation(
        "a signal is not given back",
        "engine/agent_operations.py",
        "                signal_queue.give_back(state, execution, resolution.answer.signals)",
        "                pass",
    ),
    Mutation(
        "a loss is lost: nobody runs the agent again",
        "engine/workers.py",
        "        activations.release(state, execution)\n    workflow_claims",
        "        pass\n    workflow_claims",
    ),
    Mutation(
        "an attempt that timed out is lost a second time during the pause",
        "engine/attempts.py",
        "    if task.current is not attempt:\n        return\n    message = f",
        "    if task.outcome is not None or attempt not in (task.attempts or ())[-1:]:\n"
        "        return\n    message = f",
    ),
    Mutation(
        "an abandoned attempt that is lost keeps its execution in memory",
        "engine/stops.py",
        "    state.decision.executions[task.execution.execution_id] = task.execution\n",
        "",
    ),
    Mutation(
        "a signal that is given back passes by those who wait",
        "engine/signal_queue.py",
        "        waiting = first_waiting(execution, signal)",
        "        waiting = None",
    ),
    Mutation(
        "a run is evicted though a side effect of it is under way",
        "engine/activations.py",
        "    if worker is None or _has_begun_step(execution):",
        "    if worker is None:",
    ),
    Mutation(
        "the run that came to wait last is evicted first",
        "engine/placement.py",
        "next(iter(worker.idle.values()))",
        "next(reversed(worker.idle.values()))",
    ),
    Mutation(
        "agents that never ran go before those that did",
        "engine/agent_backlog.py",
        "            return (1 if not head.run else 0), head.order",
        "            return 0, head.order",
    ),
    Mutation(
        "a page is believed though this turn knows better",
        "engine/placement.py",
        "            found[execution_id] = execution\n",
        "            found.setdefault(execution_id, execution)\n",
    ),
    Mutation(
        "what this turn cancelled comes back to memory with its page",
        "engine/placement.py",
        " if execution.phase is Phase.QUEUED]",
        "]",
    ),
    Mutation(
        "what was started in this turn is forgotten when its page is taken",
        "engine/placement.py",
        "    for execution_id, execution in state.resting.items():\n        if (",
        "    for execution_id, execution in ():\n        if (",
    ),
    Mutation(
        "a younger agent takes the place of one that rests",
        "engine/agent_backlog.py",
        "        if self.rests_beyond is None and len(self.fresh) < limit:",
        "        if len(self.fresh) < limit:",
    ),
    Mutation(
        "what rests stays in memory",
        "engine/placement.py",
        "            state.executions.pop(execution_id, None)",
        "            pass",
    ),
    Mutation(
        "the host replies before it commits",
        "host/driver.py",
        "        self._is_committing = True\n",
        "        self._is_committing = True\n        self._reply(self._turn, decisions)\n",
    ),
    Mutation(
        "the host acts before it commits",
        "host/driver.py",
        "        self._is_committing = True\n",
        "        self._is_committing = True\n        self._act(decisions)\n",
    ),
    Mutation(
        "the host goes on after a commit that failed",
        "host/driver.py",
        "            self._fail(error)",
        "            self.failure = error",
    ),
)
