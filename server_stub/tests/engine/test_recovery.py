"""Running on after a loss: the journal answers what was answered; what was accepted is neither lost nor done twice."""

from __future__ import annotations

from rescind.model.ids import Instant, TaskId
from rescind.model.messages import AgentKind, AgentStart
from rescind.model.operations import (
    AnyOperation,
    AppendEntry,
    AwaitSignal,
    DrainSignals,
    SaveCheckpoint,
    SignalsTaken,
    StartTimer,
    WaitCondition,
)
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelMode, CancelTaskResult, ExecutionStatus
from server_stub.tests.engine.driver import CLIENT, Agent, Stage, awaits

CHECKPOINTING = AgentKind("agent", recovery="checkpoint")


def checkpointing() -> tuple[Stage, Agent]:
    stage = Stage(worker=None)
    stage.join("w", agents=[CHECKPOINTING])
    return stage, stage.start()


def lose_the_worker(stage: Stage) -> None:
    stage.leave("w")
    stage.join("w", agents=[CHECKPOINTING])


def last_start(agent: Agent) -> AgentStart:
    start = agent.starts[-1].start
    assert start is not None
    return start


def checkpoint(state: bytes = b"s") -> SaveCheckpoint:
    return SaveCheckpoint(0, Payload(state))


def entry(entry_id: str) -> AppendEntry:
    return AppendEntry(0, entry_id, "message", "user", NULL_PAYLOAD)


def test_a_checkpoint_drops_the_journal_before_it_and_recovery_begins_there() -> None:
    stage, agent = checkpointing()
    agent.do()
    agent.rest(entry("e1"), checkpoint(b"first"))
    agent.rest(entry("e2"), checkpoint(b"second"))
    position = agent.position
    agent.do(entry("e3"))
    lose_the_worker(stage)
    start = last_start(agent)
    assert (start.state, start.checkpoint_sequence, start.base_position) == (Payload(b"second"), 2, position)
    assert [each.entry_id for each in start.entries] == ["e1", "e2"]
    assert [[issued.operation for issued in each.issued] for each in start.journal] == [["AppendEntry", "Flush"]]
    assert [checkpoint.leaf_entry_id for checkpoint in stage.details().checkpoints] == ["e1", "e2"]


def test_recovery_by_replay_keeps_the_whole_journal_and_no_state() -> None:
    stage = Stage()
    agent = stage.start()
    agent.do(entry("e1"), checkpoint())
    agent.do()
    stage.leave()
    stage.join()
    start = last_start(agent)
    assert (start.state, start.base_position, start.entries) == (None, 0, ())
    assert len(start.journal) == 2


def test_answers_to_what_the_checkpoint_made_it_forget_are_not_in_the_journal() -> None:
    stage, agent = checkpointing()
    agent.do(AwaitSignal(0, "go"), checkpoint())
    stage.signal("go")
    agent.do()
    agent.do()
    lose_the_worker(stage)
    start = last_start(agent)
    assert all(each.position > start.base_position for entry in start.journal for each in entry.resolutions)


def test_what_was_issued_behind_a_checkpoint_in_its_batch_is_part_of_the_journal_after_it() -> None:
    stage, agent = checkpointing()
    agent.do(checkpoint(), entry("e1"))
    agent.do(entry("e2"))
    lose_the_worker(stage)
    start = last_start(agent)
    assert [[each.operation for each in entry.issued] for entry in start.journal] == [
        ["AppendEntry", "Flush", "AppendEntry", "Flush"]
    ]


def test_what_was_issued_behind_a_checkpoint_and_never_answered_is_issued_anew_without_harm() -> None:
    stage, agent = checkpointing()
    (task_id,) = agent.schedule()
    due = Instant(stage.now + 1_000_000)
    behind: list[AnyOperation] = [
        entry("e1"),
        StartTimer(0, due),
        awaits([task_id], WaitCondition.ALL_ENDED),
        DrainSignals(0, "go"),
    ]
    stage.signal("go")
    agent.do(checkpoint(), *behind)
    base = agent.position - len(behind) - 1
    stage.complete(task_id)
    agent.answers.clear()
    lose_the_worker(stage)
    assert (last_start(agent).base_position, last_start(agent).journal) == (base, ())
    agent.position = base
    _, timer, wait, drain = agent.rest(*behind)
    assert agent.settled(wait) is not None
    answer = agent.answers[drain]
    assert isinstance(answer, SignalsTaken)
    assert len(answer.signals) == 1
    assert [each.entry_id for each in stage.details().entries] == ["e1"]
    agent.rest()
    stage.pass_time(1_000)
    assert timer in agent.answers


def test_a_signal_on_its_way_to_a_wait_that_the_checkpoint_dropped_is_in_the_queue_again() -> None:
    stage, agent = checkpointing()
    agent.do(AwaitSignal(0, "go"), checkpoint())
    stage.signal("go", b"1")
    agent.do()  # the signal is on its way
    stage.signal("go", b"2")
    lose_the_worker(stage)
    agent.position = last_start(agent).base_position
    drain = agent.do(DrainSignals(0, "go"))[0]
    answer = agent.answers[drain]
    assert isinstance(answer, SignalsTaken)
    assert [signal.value.data for signal in answer.signals] == [b"1", b"2"]


def test_an_agent_that_was_told_of_its_cancel_before_its_checkpoint_is_told_again() -> None:
    stage, agent = checkpointing()
    agent.rest(AwaitSignal(0, "never"))
    stage.cancel_agent()
    agent.do(checkpoint())
    lose_the_worker(stage)
    assert stage.execution().status is ExecutionStatus.CANCELLING
    assert agent.told == [CLIENT, CLIENT]


def test_operations_that_the_checkpoint_dropped_leave_nothing_behind() -> None:
    stage, agent = checkpointing()
    (task_id,) = agent.schedule()
    agent.do(
        StartTimer(0, Instant(stage.now + 1_000_000)),
        agent.cancels(task_id, CancelMode.WAIT),
        awaits([task_id], WaitCondition.ALL_ENDED),
        checkpoint(),
    )
    outside = stage.cancel(task_id, CancelMode.WAIT)
    stage.leave("w")
    stage.join("w", agents=[CHECKPOINTING], running=[stage.lease(task_id)])
    stage.acknowledge(task_id)
    assert stage.engine.next_due() is None
    stage.obey(task_id)
    assert stage.late_result(outside) is CancelTaskResult.CANCELLED
    agent.rest()
    assert agent.pending is None


def test_a_run_that_is_lost_again_and_again_is_given_the_same_answers_each_time() -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule()
    (wait,) = agent.rest(awaits([task_id], WaitCondition.ALL_ENDED))
    stage.complete(task_id)
    given = []
    for _ in range(3):
        given.append(agent.answers.pop(wait))
        stage.leave()
        stage.join()
    assert given[0] == given[1] == given[2] == agent.settled(wait)
    assert [activation.run for activation in agent.starts] == [1, 2, 3, 4]


def test_the_winner_of_a_race_stays_the_winner() -> None:
    stage = Stage()
    agent = stage.start()
    tasks: list[TaskId] = agent.schedule(2)
    (race,) = agent.rest(awaits(tasks, WaitCondition.SOME_COMPLETED))
    stage.complete(tasks[1])
    agent.do()
    stage.complete(tasks[0])
    stage.leave()
    stage.join()
    answers = [each for entry in last_start(agent).journal for each in entry.resolutions if each.position == race]
    assert [answer.answer for answer in answers] == [agent.settled(race)]
