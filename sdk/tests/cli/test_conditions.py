"""What `--where` says: each condition narrows, and what cannot be meant is refused by name."""

from __future__ import annotations

import time

import pytest

from rescind.cli.conditions import conditions_given, conditions_of, execution_filter, task_filter
from rescind.cli.refusals import EXIT_BAD_INPUT, Refused
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ExecutionId, WorkerId
from rescind.model.status import ExecutionStatus, TaskStatus


def refusal_of(where: str, *, of_tasks: bool = False) -> str:
    with pytest.raises(Refused) as caught:
        (task_filter if of_tasks else execution_filter)(conditions_of(where))
    assert caught.value.exit_code == EXIT_BAD_INPUT
    return caught.value.message


def test_every_condition_sets_what_it_names() -> None:
    assert execution_filter(conditions_of("status=running,waiting kind=a queue=b creator=client:me worker=w")) == (
        ExecutionFilter(
            statuses=(ExecutionStatus.RUNNING, ExecutionStatus.WAITING),
            kind="a",
            queue="b",
            created_by="client:me",
            worker_id=WorkerId("w"),
        )
    )
    assert task_filter(conditions_of("status=PENDING kind=a queue=b worker=w execution=x agent=c creator=d")) == (
        TaskFilter(
            statuses=(TaskStatus.PENDING,),
            kind="a",
            queue="b",
            worker_id=WorkerId("w"),
            execution_id=ExecutionId("x"),
            agent="c",
            created_by="d",
        )
    )
    assert execution_filter([]) == ExecutionFilter()


def test_an_executions_agent_is_its_kind() -> None:
    assert execution_filter(conditions_of("agent=a")) == execution_filter(conditions_of("kind=a"))


def test_values_are_quoted_as_in_a_shell_and_may_hold_signs() -> None:
    selected = execution_filter(conditions_of("""label.team='a team' label.of.x=1=2 queue="b c" """))
    assert (selected.labels, selected.queue) == ({"team": "a team", "of.x": "1=2"}, "b c")


def test_what_is_older_began_before_and_what_is_younger_behind_that_time() -> None:
    before = time.time_ns() // 1_000
    selected = execution_filter(conditions_of("age>1h age<1d"))
    after = time.time_ns() // 1_000
    hour, day = 3_600_000_000, 86_400_000_000
    assert selected.created_before is not None
    assert selected.created_after is not None
    assert before <= selected.created_before + hour <= after
    assert before <= selected.created_after + day <= after
    younger = task_filter(conditions_of("age<90s"))
    assert (younger.scheduled_before, younger.scheduled_after is None) == (None, False)


def test_ages_are_options_too() -> None:
    hour = 3_600_000_000
    selected = execution_filter(conditions_given(older_than="1h", within="2h"))
    assert selected.created_before is not None
    assert selected.created_after is not None
    assert selected.created_before > selected.created_after
    assert selected.created_before <= time.time_ns() // 1_000 - hour
    with pytest.raises(Refused, match="--older-than soon") as caught:
        execution_filter(conditions_given(older_than="soon"))
    assert caught.value.exit_code == EXIT_BAD_INPUT


@pytest.mark.parametrize("label", ["team", "=eu", ""])
def test_a_label_without_its_value_is_refused(label: str) -> None:
    with pytest.raises(Refused, match=r"is no label with its value\. Give NAME=VALUE\.") as caught:
        conditions_given(label=(label,))
    assert caught.value.exit_code == EXIT_BAD_INPUT


def test_options_are_conditions_too() -> None:
    conditions = conditions_given(status=("running", "waiting"), kind="a b", queue=None, label=("team=x y",))
    assert execution_filter(conditions) == ExecutionFilter(
        statuses=(ExecutionStatus.RUNNING, ExecutionStatus.WAITING), kind="a b", labels={"team": "x y"}
    )


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("queue", "'queue' is no condition. Give name=value"),
        ("=a", "'=a' is no condition"),
        ("queue=", "'queue=' has no value"),
        ("quue=a", "there is no 'quue' to select by. Known are age, agent, creator, kind, label.NAME, queue, status"),
        ("execution=a", "there is no 'execution' to select by"),
        ("status=runing", "there is no status 'runing'. Known are pending, running, waiting"),
        ("status=running,", "there is no status ''"),
        ("queue>a", "queue can only be compared with ="),
        ("label.a<b", "label.a can only be compared with ="),
        ("age=1h", "give age>1h for older, or age<1h for younger"),
        ("age>soon", "'soon' is no length of time"),
        ("age>999999999999w", "longer than time"),
        ("queue=a queue=b", "'queue=b': queue is given twice"),
        ("kind=a agent=b", "'agent=b': agent is given twice"),
        ("age>1h age>2h", "age is given twice"),
        ("label.a=1 label.a=2", "label.a is given twice"),
        ("queue='a", 'a quotation in "queue=\'a" has no end'),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(where: str, told: str) -> None:
    assert told in refusal_of(where)


def test_tasks_have_statuses_of_their_own() -> None:
    assert "Known are pending, running, completed" in refusal_of("status=waiting", of_tasks=True)
