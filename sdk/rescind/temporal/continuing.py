"""From one run of a workflow to the next: what an agent with `recovery="checkpoint"` carries over.

Temporal's histories are bounded. At a checkpoint, when nothing is open, all that such an agent needs to go on is its
state: then its workflow may continue as new.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from rescind.model.children import NOTHING_USED, Spawned, Usage
from rescind.model.ids import ExecutionId, Instant, Lease
from rescind.model.messages import AgentActivation, EntryRecord
from rescind.model.operation_base import Signal
from rescind.model.operations import Acknowledged
from rescind.model.payload import Payload
from rescind.model.views import CheckpointView
from rescind_server.engine.entities import Execution
from rescind_server.store.child_records import ChildRecord, add_children, record_of_child
from rescind_server.store.records import TaskRecord, add_tasks, record_of_task

RecordT = TypeVar("RecordT")

MOST_BYTES: Final = 1024 * 1024
"""What is larger is not carried over: an input of a workflow has 2 MiB, and codecs may need some of that."""


class Carried(msgspec.Struct, frozen=True):
    """An execution between two runs of its workflow.

    Attributes:
        labels: free text by name.
        by: who started it.
        organisation: whose it is.
        created_at: when.
        run: the number of the last run of its code.
        number: the number of its last activation.
        base_position: the position of its last checkpoint.
        checkpoint: that checkpoint.
        entries: its conversation up to there.
        signals: those that it has not taken yet.
        signal_count: how many it was sent.
        sequence: the number of its last event.
        lease: the highest lease that was given out.
        previous_run: the workflow's run before, which tells the events up to `sequence`.
        tasks: those that it has scheduled, in that order, as far back as there is room: a task's idempotency key is
            known for as long as the task is.
        trace_parent: the span that it was started in.
        children: those that it has spawned, in order: what is open of them, and of the others as far back as there is
            room.
        usage: what it has used up.
    """

    labels: dict[str, str]
    by: str
    organisation: str
    created_at: Instant
    run: int
    number: int
    base_position: int
    checkpoint: CheckpointView
    entries: tuple[EntryRecord, ...]
    signals: tuple[Signal, ...]
    signal_count: int
    sequence: int
    lease: Lease
    previous_run: str
    tasks: tuple[TaskRecord, ...] = ()
    trace_parent: str | None = None
    children: tuple[ChildRecord, ...] = ()
    usage: Usage = NOTHING_USED


def stands_at_checkpoint(execution: Execution, activation: AgentActivation) -> bool:
    """Whether an activation tells nothing but that a checkpoint was saved, and all that was before is over."""
    children = execution.children.values()
    return (
        execution.recovery == "checkpoint"
        and execution.base_position > 0
        and execution.cause is None
        and activation.start is None
        and [each.position for each in activation.resolutions] == [execution.base_position]
        and isinstance(activation.resolutions[0].answer, Acknowledged)
        and not execution.open
        # Children are workflows of their own, which outlive this run.
        and execution.unsettled == sum(child.outcome is None and child.goes_with_parent for child in children)
        and not execution.carried
    )


def carried_of(execution: Execution, lease: Lease, run_id: str) -> Carried | None:
    """What the next run of the workflow begins with; None if it is too large for that."""
    carried = Carried(
        execution.labels,
        execution.created_by,
        execution.organisation,
        execution.created_at,
        execution.run,
        execution.number,
        execution.base_position,
        execution.checkpoints[-1],
        tuple(execution.entries),
        tuple(execution.signals),
        execution.signal_count,
        execution.sequence,
        lease,
        run_id,
        children=tuple(record_of_child(child) for child in execution.children.values() if child.outcome is None),
        trace_parent=execution.trace_parent,
        usage=execution.usage,
    )
    room = MOST_BYTES - len(msgspec.json.encode(carried))
    if room < 0:
        return None
    ended = [record_of_child(child) for child in execution.children.values() if child.outcome is not None]
    kept = _last_of(ended, room)
    children = sorted((*kept, *carried.children), key=lambda child: child.order)
    carried = msgspec.structs.replace(carried, children=tuple(children))
    room = MOST_BYTES - len(msgspec.json.encode(carried))
    tasks = _last_of([record_of_task(task) for task in execution.tasks.values()], room)
    return msgspec.structs.replace(carried, tasks=tasks)


def execution_of(
    carried: Carried, execution_id: str, kind: str, queue: str, agent_input: Payload, spawned: Spawned | None
) -> Execution:
    """The execution as the next run takes it up: it waits for its code to be run from the checkpoint."""
    execution = Execution(
        ExecutionId(execution_id),
        carried.organisation,
        kind,
        queue,
        agent_input,
        carried.labels,
        carried.by,
        carried.created_at,
        1,
        run=carried.run,
        number=carried.number,
        recovery="checkpoint",
        base_position=carried.base_position,
        kept_entries=len(carried.entries),
        entries=list(carried.entries),
        checkpoints=[carried.checkpoint],
        signals=list(carried.signals),
        signal_count=carried.signal_count,
        sequence=carried.sequence,
        trace_parent=carried.trace_parent,
        spawned=spawned,
        usage=carried.usage,
        kept_usage=carried.usage,
    )
    add_tasks(execution, carried.tasks)
    add_children(execution, carried.children)
    return execution


def _last_of(records: Sequence[RecordT], room: int) -> tuple[RecordT, ...]:
    """These records, without the oldest if all together are larger than the room in bytes."""
    kept: list[RecordT] = []
    for record in reversed(records):
        room -= len(msgspec.json.encode(record)) + 1
        if room < 0:
            break
        kept.append(record)
    return tuple(reversed(kept))
