"""A seed is a run: the same one always, and together the seeds of CI hold everything that can go wrong."""

from __future__ import annotations

import pytest

from e2e.crash.__main__ import RUNS
from e2e.crash.evidence import Evidence, SeenExecution, SeenTask
from e2e.crash.outcomes import problems_of
from e2e.crash.plan import ActionKind, FaultKind, Planned, plan_of
from e2e.crash.stories import AGENTS
from rescind import ExecutionStatus, TaskStatus

SEEDS_OF_CI = range(1, RUNS + 1)


def test_the_same_seed_is_the_same_plan_and_another_one_is_another() -> None:
    assert plan_of(7) == plan_of(7)
    assert plan_of(7) != plan_of(8)


def test_every_run_has_every_story_once_at_least() -> None:
    for seed in SEEDS_OF_CI:
        assert {each.kind for each in plan_of(seed).executions} == {definition.kind for definition in AGENTS}


def test_the_runs_of_ci_hold_every_fault_and_every_action() -> None:
    plans = [plan_of(seed) for seed in SEEDS_OF_CI]
    assert {fault.kind for plan in plans for fault in plan.faults} == set(FaultKind)
    actions = {action.kind for plan in plans for planned in plan.executions for action in planned.actions}
    assert actions == set(ActionKind)


@pytest.mark.parametrize("kind", sorted({definition.kind for definition in AGENTS}))
def test_an_output_that_no_story_gives_is_noticed(kind: str) -> None:
    planned = next(each for each in plan_of(1).executions if each.kind == kind)
    nothing = {"winner": 0, "cancelled": ["x"], "timed_out": False, "completed": [["x", 1]], "failed": []}
    output = nothing if kind in ("race", "deadline", "settled") else ["nothing"]
    assert problems(planned, SeenExecution(ExecutionStatus.COMPLETED, output))


@pytest.mark.parametrize("kind", sorted({definition.kind for definition in AGENTS}))
def test_an_execution_that_failed_is_noticed(kind: str) -> None:
    planned = next(each for each in plan_of(1).executions if each.kind == kind)
    assert problems(planned, SeenExecution(ExecutionStatus.FAILED, None, failure="of itself"))


def test_a_loser_that_was_cancelled_by_something_else_is_noticed() -> None:
    tasks = [
        SeenTask("a", TaskStatus.COMPLETED, 1, 8),
        SeenTask("b", TaskStatus.CANCELLED, 2, None, "parent"),
    ]
    raced = SeenExecution(ExecutionStatus.COMPLETED, {"winner": 8, "cancelled": ["b"]}, tasks)
    assert problems(Planned("r", "race", {"works": []}), raced) == [
        "task b was cancelled by parent, and not by race_lost"
    ]


def problems(planned: Planned, seen: SeenExecution) -> list[str]:
    """What is wrong with this end, in a run that left nothing else behind."""
    evidence = Evidence({planned.execution_id: planned}, [], [], {}, [], {}, {planned.execution_id: seen})
    return list(problems_of(evidence, planned))
