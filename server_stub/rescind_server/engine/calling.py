"""Which rule decides which call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rescind.model.commands import ACCEPTED, Call, Deferred, Refused, Reply
from rescind_server.engine import called_agents, called_children, called_tasks, polls
from rescind_server.engine.calls import (
    AppendAgentEntry,
    BeatTask,
    CancelAgentTask,
    ClearTaskState,
    ConsumeSignals,
    EndAgent,
    GiveBackAgent,
    GiveBackTask,
    LogTask,
    NothingFound,
    PollAgents,
    PollCall,
    PollChildren,
    PollTasks,
    ReportTask,
    ReportTaskProgress,
    ResumeAgent,
    SaveAgentCheckpoint,
    ScheduleAgentTask,
    SetTaskState,
    SignalAgent,
    SignalChild,
    SignalParent,
    SpawnAgent,
    StartTask,
    StreamEvents,
    SuspendAgent,
    WithdrawPoll,
    WorkerBeat,
)
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Execution
from rescind_server.engine.polls import Poll
from rescind_server.engine.state import State


def decide(state: State, command: Call, execution: Execution | None) -> Reply:
    """Decide a call.

    Args:
        state: the engine's memory.
        command: the call.
        execution: the one that it is about, also if it has left memory; None if there is no such.
    """
    if isinstance(command, StartTask):
        return called_tasks.start(state, command, execution)
    rule = _RULES.get(type(command))
    if rule is not None:
        return rule(state, command)
    if execution is None:
        return Refused("NotFound", f"no execution {command.execution_id!r}. Check the id, or list what there is.")
    return _EXECUTION_RULES[type(command)](state, command, execution)


def _poll(state: State, command: PollCall) -> Reply:
    """Let a poll wait; it is served at the end of the decision if there is work."""
    worker = polls.worker_of(state, command.worker_id)
    state.deferred += 1
    for_agents = isinstance(command, PollAgents)
    kinds = command.kinds or ()
    if for_agents:
        polls.note_kinds(state, worker, command.queue, agents=kinds)
    else:
        polls.note_kinds(state, worker, command.queue, tasks=kinds)
    poll = Poll(command.poll_id, state.deferred, command.worker_id, command.queue, command.kinds, for_agents)
    (state.agent_polls if for_agents else state.task_polls).add(poll)
    state.fresh_polls.append(poll)
    due = polls.wait_ends_at(state.now, command.wait_ms)
    poll.deadline = state.deadlines.set(due, DeadlineKind.POLL, poll)
    return Deferred(poll.number)


def _withdraw(state: State, command: WithdrawPoll) -> Reply:
    for waiting in (state.agent_polls, state.task_polls):
        poll = waiting.remove(command.poll_id)
        if poll is not None:
            polls.answer(state, poll, NothingFound())
    return ACCEPTED


_RULES: Final[Mapping[type[Call], Callable[[State, Any], Reply]]] = {
    PollAgents: _poll,
    PollTasks: _poll,
    WithdrawPoll: _withdraw,
    GiveBackTask: called_tasks.give_back,
    ReportTask: called_tasks.report,
    BeatTask: called_tasks.beat,
    WorkerBeat: called_tasks.worker_beat,
}
_EXECUTION_RULES: Final[Mapping[type[Call], Callable[[State, Any, Execution], Reply]]] = {
    AppendAgentEntry: called_agents.append_entry,
    SaveAgentCheckpoint: called_agents.save_checkpoint,
    ScheduleAgentTask: called_agents.schedule_task,
    SuspendAgent: called_agents.suspend,
    ResumeAgent: called_agents.resume,
    EndAgent: called_agents.end,
    SignalAgent: called_agents.signal,
    ConsumeSignals: called_agents.consume_signals,
    CancelAgentTask: called_agents.cancel_task,
    GiveBackAgent: called_agents.give_back,
    SpawnAgent: called_children.spawn,
    SignalChild: called_children.signal_child,
    SignalParent: called_children.signal_parent,
    PollChildren: called_children.poll,
    ReportTaskProgress: called_tasks.progress,
    SetTaskState: called_tasks.set_state,
    ClearTaskState: called_tasks.clear_state,
    LogTask: called_tasks.log,
    StreamEvents: called_tasks.stream,
}
