"""What is cancelled has stopped when all below it has: told by itself, at every level, and after restarts."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

from rescind.model.child_operations import LeaveChildren
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.messages import AgentCancelled
from rescind.model.operations import AwaitSignal
from rescind.model.overviews import StillStopping
from rescind.model.status import CancelMode, ExecutionStatus, ParentClosePolicy, StopState
from rescind_server.engine.finding import find_still_stopping, stopping_of
from rescind_server.engine.machine import Engine
from rescind_server.store.sqlite import SqliteStore
from server_stub.tests.engine.driver import CLIENT, Stage
from server_stub.tests.engine.test_children import grow
from server_stub.tests.engine.workflow_stage import WorkflowStage, schedules, starts_child, task_id, workflow_id

STOPPED = StillStopping()
REST = AwaitSignal(0, "never")


def stopping(stage: Stage, *names: str) -> list[StillStopping]:
    """What is still being stopped of each of these executions."""
    ids = [ExecutionId(name) for name in names]
    found = stopping_of(stage.engine, ids)
    return [found.get(each, STOPPED) for each in ids]


def told_of(stage: Stage) -> set[str]:
    """The executions of which the last decision says that more, or less, is being stopped."""
    return set(stage.decisions[-1].stopping)


def line_of_agents(stage: Stage, *names: str) -> TaskId:
    """Agents below each other, all waiting, the last one for a task that runs; returns that task."""
    agent = stage.start(names[0])
    for name in names[1:]:
        (child,) = grow(agent, name)
        agent.rest(REST)
        agent = child
    (task,) = agent.schedule()
    agent.rest(REST)
    return task


def cancelled_line(stage: Stage, *names: str) -> TaskId:
    """Such a line, ended at once from its first agent on; only the task's work still stops."""
    task = line_of_agents(stage, *names)
    stage.cancel_agent(names[0], hard=True)
    return task


def test_a_cancelled_agent_says_that_work_stops_however_deep_below_it() -> None:
    stage = Stage()
    task = cancelled_line(stage, "x", "y", "z")
    assert stage.execution("x").status is ExecutionStatus.CANCELLED
    assert stopping(stage, "x", "y", "z") == [StillStopping(0, 1), StillStopping(0, 1), StillStopping(1, 0)]
    stage.report_stop(task, StopState.STOPPED)
    assert stopping(stage, "x", "y", "z") == [STOPPED] * 3
    assert not any(map(stage.is_in_memory, "xyz"))


def test_the_end_of_the_last_work_is_told_of_every_execution_above_it() -> None:
    stage = Stage()
    task = cancelled_line(stage, "x", "y", "z")
    assert told_of(stage) == {"x", "y", "z"}
    stage.report_stop(task, StopState.DELIVERED)
    assert told_of(stage) == set()
    stage.report_stop(task, StopState.STOPPED)
    assert told_of(stage) == {"x", "y", "z"}
    assert {each.execution_id for each in stage.decisions[-1].closed} == {"x", "y", "z"}


def test_what_makes_no_difference_above_is_told_of_no_ancestor() -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "y")
    root.rest(REST)
    first, second = child.schedule(2)
    child.rest(REST)
    stage.cancel_agent("x", hard=True)
    assert stopping(stage, "x", "y") == [StillStopping(0, 1), StillStopping(2, 0)]
    stage.report_stop(first, StopState.STOPPED)
    assert told_of(stage) == {"y"}
    stage.report_stop(second, StopState.STOPPED)
    assert told_of(stage) == {"x", "y"}


def test_a_child_that_cleans_up_is_still_being_stopped() -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "y")
    root.rest(REST)
    child.rest(REST)
    stage.cancel_agent("x")
    root.end(AgentCancelled())
    assert stage.execution("x").status is ExecutionStatus.CANCELLED
    assert stage.execution("y").status is ExecutionStatus.CANCELLING
    assert stopping(stage, "x") == [StillStopping(0, 1)]
    child.end(AgentCancelled())
    assert stopping(stage, "x") == [STOPPED]
    assert told_of(stage) >= {"x"}


def test_what_was_left_on_its_own_is_not_counted_above() -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "y", parent_close=ParentClosePolicy.ABANDON)
    root.rest(REST)
    child.schedule()
    child.rest(REST)
    stage.cancel_agent("y", hard=True)
    stage.cancel_agent("x", hard=True)
    assert stopping(stage, "x", "y") == [STOPPED, StillStopping(1, 0)]
    assert not stage.is_in_memory("x")


def test_an_execution_that_goes_on_says_nothing_of_a_child_that_it_gave_up() -> None:
    stage = Stage()
    root = stage.start("x")
    (child,) = grow(root, "y")
    child.schedule()
    child.rest(REST)
    root.rest(LeaveChildren(0, (ExecutionId("y"),), CLIENT), REST)
    child.end(AgentCancelled())
    assert stopping(stage, "x", "y") == [STOPPED, StillStopping(1, 0)]
    stage.cancel_agent("x", hard=True)
    assert stopping(stage, "x") == [StillStopping(0, 1)]


def test_work_that_was_asked_and_then_left_alone_is_not_being_stopped() -> None:
    stage = Stage()
    task = line_of_agents(stage, "x")
    stage.cancel(task, CancelMode.WAIT)
    assert told_of(stage) == {"x"}
    stage.cancel(task, CancelMode.ABANDON)
    stage.cancel_agent("x", hard=True)
    assert stopping(stage, "x") == [STOPPED]


def test_a_cancelled_workflow_says_that_work_stops_below_it() -> None:
    stage = WorkflowStage(worker="w")
    stage.submit(stage.begin_pass(), starts_child("c"))
    stage.submit(stage.claim(), starts_child("g"))
    stage.submit(stage.claim(), schedules("t"))
    x, c, g = (workflow_id(name) for name in "xcg")
    stage.cancel_agent(x, hard=True)
    assert stopping(stage, x, c, g) == [StillStopping(0, 1), StillStopping(0, 1), StillStopping(1, 0)]
    stage.report_stop(task_id("t"), StopState.KILLED)
    assert stopping(stage, x, c, g) == [STOPPED] * 3
    assert not any(map(stage.is_in_memory, (x, c, g)))


def test_those_that_have_ended_and_still_stop_are_found_the_newest_first() -> None:
    stage = Stage()
    stage.start("other").rest(REST)
    task = cancelled_line(stage, "x", "y")
    running = stage.start("r")
    (own,) = running.schedule()
    stage.cancel(own, execution_id="r")

    def found(selection: ExecutionFilter) -> list[str]:
        return [each.execution_id for each in find_still_stopping(stage.engine, selection)]

    assert found(ExecutionFilter(stopping=True)) == ["y", "x"]
    assert found(ExecutionFilter(stopping=True, parent_id=ExecutionId("x"))) == ["y"]
    stage.report_stop(task, StopState.STOPPED)
    assert found(ExecutionFilter(stopping=True)) == []


def test_a_deep_tree_is_counted_in_one_walk_up_and_one_down() -> None:
    stage = Stage()
    names = [f"a-{number}" for number in range(300)]
    task = cancelled_line(stage, *names)
    assert set(stopping(stage, *names[:-1])) == {StillStopping(0, 1)}
    stage.report_stop(task, StopState.STOPPED)
    assert set(stopping(stage, *names)) == {STOPPED}


class Restarting(WorkflowStage):
    """A stage whose engine can be gone in the middle: another one goes on from the file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(worker="w")
        self._path = folder / "store.db"
        self._kept = 0

    def restart(self) -> None:
        """Write down what was decided, and go on from there."""
        with closing(SqliteStore(self._path)) as store:
            asyncio.run(store.commit(self.decisions[self._kept :]))
            loaded = store.load()
        self.engine = Engine()
        self._take(self.engine.restore(*loaded, self.now))
        self._kept = len(self.decisions)


def test_a_restart_changes_nothing_of_what_still_stops(tmp_path: Path) -> None:
    stage = Restarting(tmp_path)
    task = cancelled_line(stage, "x", "y", "z")
    before = stopping(stage, "x", "y", "z")
    stage.restart()
    assert stopping(stage, "x", "y", "z") == before == [StillStopping(0, 1), StillStopping(0, 1), StillStopping(1, 0)]
    stage.report_stop(task, StopState.LOST)
    stage.restart()
    assert not any(map(stage.is_in_memory, "xyz"))


def test_a_restart_changes_nothing_of_a_workflow_below_which_a_clean_up_runs(tmp_path: Path) -> None:
    stage = Restarting(tmp_path)
    stage.submit(stage.begin_pass(), starts_child("c"))
    stage.submit(stage.claim(), schedules("t"))
    x, c = workflow_id("x"), workflow_id("c")
    stage.cancel_agent(x)
    stage.restart()
    assert stage.status_of("c") is ExecutionStatus.CANCELLING
    assert stopping(stage, x, c) == [StillStopping(0, 1), StillStopping(1, 0)]
