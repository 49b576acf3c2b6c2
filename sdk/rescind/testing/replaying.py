"""Replays a workflow's code against the log of an execution: does a change break those that are open?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rescind.authoring.workflow import WorkflowDefinition
from rescind.backends.native.workflow_history import described
from rescind.backends.native.workflow_run import WorkflowRun
from rescind.errors import InvalidInput
from rescind.model.commands import DEFAULT_ORGANISATION
from rescind.model.ids import ExecutionId
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.workflow_events import LoggedEvent, WorkflowStarted
from rescind.model.workflow_export import read_exported
from rescind.model.workflows import WorkflowClaimed


@dataclass(frozen=True, slots=True)
class ReplayedWorkflow:
    """Code that follows its log to the end.

    Attributes:
        kind: the workflow's kind.
        events: how many events the log has.
        new_commands: what the code asks for at the end of the log that the log does not hold, in words. Empty for a log
            that was exported while nothing was under way.
        ending: ``COMPLETE_WORKFLOW``, ``FAIL_WORKFLOW`` or ``CANCEL_WORKFLOW`` if the code has ended; None if it waits.
        waiting_for: what it waits for, in words; empty if it has ended.
    """

    kind: str
    events: int
    new_commands: tuple[str, ...]
    ending: str | None
    waiting_for: str


def replay_workflow(
    workflow: WorkflowDefinition[Any, Any],
    history: Sequence[LoggedEvent] | str | bytes | Path,
    *,
    execution_id: str = "00000000-0000-0000-0000-000000000000",
) -> ReplayedWorkflow:
    """Run a workflow's code over a log. Nothing is done but that: steps are not run, nothing is submitted.

    Args:
        workflow: the code as it is now.
        history: the log: of `client.workflow_events`, the text that was exported (``rescind history ID --events``), or
            the path of its file.
        execution_id: the execution's id, from which random numbers are drawn; left out, they differ from its own.

    Raises:
        DeterminismViolation: the code takes another path; tells the first divergence with both sides.
        InvalidInput: this is no log of a workflow, or one of another kind.
    """
    log = _read(history)
    started = log[0].event
    assert isinstance(started, WorkflowStarted)
    if started.workflow_kind != workflow.kind:
        raise InvalidInput(
            f"this is a log of workflow {started.workflow_kind!r}, and the code is that of {workflow.kind!r}. Give "
            "both of one kind."
        )
    claimed = WorkflowClaimed(
        execution_id=ExecutionId(execution_id),
        claim=1,
        kind=workflow.kind,
        queue=DEFAULT_QUEUE,
        organisation=DEFAULT_ORGANISATION,
        input=started.input,
        sequence=len(log),
        now=log[-1].at,
        created_at=log[0].at,
        labels=started.metadata,
    )
    run = WorkflowRun(workflow, claimed)
    try:
        run.advance(log)
        ending = run.ending()
        return ReplayedWorkflow(
            workflow.kind,
            len(log),
            tuple(described(command) for command in run.unsent()),
            str(type(ending).__struct_config__.tag) if ending is not None else None,
            "" if ending is not None else run.waiting_for(),
        )
    finally:
        run.discard()


def _read(history: Sequence[LoggedEvent] | str | bytes | Path) -> Sequence[LoggedEvent]:
    if isinstance(history, Path):
        return read_exported(_content(history))
    if isinstance(history, str | bytes):
        return read_exported(history)
    if not history or not isinstance(history[0].event, WorkflowStarted):
        raise InvalidInput("this is no log of a workflow: it does not begin with WORKFLOW_STARTED.")
    return history


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror or error}.") from None
