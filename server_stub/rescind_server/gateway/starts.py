"""What a caller gives to start an agent, checked and turned into the engine's command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import uuid4

import msgspec

from rescind.errors import InvalidInput
from rescind.model.commands import DEFAULT_ORGANISATION, StartExecution
from rescind.model.ids import ExecutionId
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.texts import LONGEST_TEXT
from rescind_server.gateway import organisations
from rescind_server.gateway.identity import Caller
from rescind_server.gateway.limits import Limits

RESERVED_LABELS: Final = "rescind."
"""What labels begin with that the server itself gives."""


class StartRequest(msgspec.Struct, frozen=True):
    """An agent to start, as its caller names things; see `StartExecution`."""

    kind: str
    input: Payload = NULL_PAYLOAD
    execution_id: str | None = None
    queue: str = DEFAULT_QUEUE
    labels: Mapping[str, str] = {}
    by: str = ""


def start_command(
    caller: Caller, request: StartRequest, limits: Limits, own_labels: Mapping[str, str] | None = None
) -> StartExecution:
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
    limits.check_name(request.kind, "the agent's kind")
    limits.check_name(request.queue, "the queue's name")
    limits.check_payload(request.input, f"the input of agent {request.kind!r}")
    for name, value in request.labels.items():
        limits.check_name(name, "a label's name")
        if name.startswith(RESERVED_LABELS):
            raise InvalidInput(f"label {name!r} begins with {RESERVED_LABELS!r}, which is the server's own.")
        if len(value) > LONGEST_TEXT:
            raise InvalidInput(f"label {name!r} has {len(value)} characters; at most {LONGEST_TEXT} are taken.")
    organisation = caller.organisation
    if request.execution_id is not None:
        limits.check_name(request.execution_id, "the execution's id")
    return StartExecution(
        request.kind,
        request.input,
        _id_for(organisation, request.execution_id),
        organisations.inner(organisation, request.queue),
        {**request.labels, **(own_labels or {})},
        caller.name_for(request.by),
        organisation,
        caller.trace_parent,
    )


def _id_for(organisation: str, chosen: str | None) -> ExecutionId | None:
    if chosen is not None:
        return organisations.inner_id(organisation, chosen)
    # The engine's own ids are of the default organisation.
    return None if organisation == DEFAULT_ORGANISATION else organisations.inner_id(organisation, str(uuid4()))
