"""What a caller gives to start an agent or a workflow, checked and turned into the engine's command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypedDict
from uuid import uuid4

import msgspec

from rescind.errors import InvalidInput
from rescind.model.commands import DEFAULT_ORGANISATION, StartExecution
from rescind.model.ids import ExecutionId
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.texts import LONGEST_TEXT
from rescind.model.workflows import StartWorkflow
from rescind_server.gateway import organisations
from rescind_server.gateway.identity import Caller
from rescind_server.gateway.limits import Limits

RESERVED_LABELS: Final = "rescind."
"""What labels begin with that the server itself gives."""


class StartRequest(msgspec.Struct, frozen=True):
    """An agent or a workflow to start, as its caller names things; see `StartExecution`.

    `workflow` says which of the two; None leaves that to what the queue's workers say of the kind.
    """

    kind: str
    input: Payload = NULL_PAYLOAD
    execution_id: str | None = None
    queue: str = DEFAULT_QUEUE
    labels: Mapping[str, str] = {}
    by: str = ""
    workflow: bool | None = None


class _Named(TypedDict):
    """What both commands have."""

    kind: str
    input: Payload
    execution_id: ExecutionId | None
    queue: str
    labels: dict[str, str]
    by: str
    organisation: str
    trace_parent: str | None


def start_command(
    caller: Caller, request: StartRequest, limits: Limits, own_labels: Mapping[str, str] | None = None
) -> StartExecution | StartWorkflow:
    """The engine's command for a start, if it can be meant.

    Args:
        caller: who asks.
        request: what to start.
        limits: how large and how long things may be.
        own_labels: labels of the server's own, beside those that the caller gives.

    Raises:
        InvalidInput: an empty or too long name, or a label that only the server gives.
        PayloadTooLarge: its input is.
    """
    sort = "workflow" if request.workflow else "agent"
    limits.check_name(request.kind, f"the {sort}'s kind")
    limits.check_name(request.queue, "the queue's name")
    limits.check_payload(request.input, f"the input of {sort} {request.kind!r}")
    for name, value in request.labels.items():
        limits.check_name(name, "a label's name")
        if name.startswith(RESERVED_LABELS):
            raise InvalidInput(f"label {name!r} begins with {RESERVED_LABELS!r}, which is the server's own.")
        if len(value) > LONGEST_TEXT:
            raise InvalidInput(f"label {name!r} has {len(value)} characters; at most {LONGEST_TEXT} are taken.")
    organisation = caller.organisation
    if request.execution_id is not None:
        limits.check_name(request.execution_id, "the execution's id")
    named = _Named(
        kind=request.kind,
        input=request.input,
        execution_id=_id_for(organisation, request.execution_id),
        queue=organisations.inner(organisation, request.queue),
        labels={**request.labels, **(own_labels or {})},
        by=caller.name_for(request.by),
        organisation=organisation,
        trace_parent=caller.trace_parent,
    )
    if request.workflow:
        return StartWorkflow(**named)
    return StartExecution(**named, or_workflow=request.workflow is None)


def _id_for(organisation: str, chosen: str | None) -> ExecutionId | None:
    if chosen is not None:
        return organisations.inner_id(organisation, chosen)
    # The engine's own ids are of the default organisation.
    return None if organisation == DEFAULT_ORGANISATION else organisations.inner_id(organisation, str(uuid4()))
