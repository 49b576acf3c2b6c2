"""A worker may send a number of any size: it is refused or clamped, and never ends the server at its next commit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from rescind.errors import InvalidInput
from rescind.model.commands import Refused
from rescind.model.ids import Instant
from rescind.model.payload import Payload
from rescind.model.workflow_commands import AnyWorkflowCommand
from rescind.model.workflow_json import command_from_data
from rescind.model.workflows import StartWorkflow, Submitted, SubmitWorkflowCommands
from server_stub.tests.store.test_workflows import C, Turns, X

LARGEST, SMALLEST = 2**63 - 1, -(2**63)
COMMANDS: dict[str, type[msgspec.Struct]] = {
    str(each.__struct_config__.tag): each for each in get_args(AnyWorkflowCommand)
}
NUMBERS = [
    (command, field.encode_name)
    for command, each in COMMANDS.items()
    for field in msgspec.structs.fields(each)
    if field.type is int or int in get_args(field.type)
]


def camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def data_of(command: str, field: str, number: int) -> bytes:
    """A command's data with this number, and what else it must have."""
    must: dict[str, Any] = {"childWorkflowExecutionId": str(C), "taskExecutionId": str(C), "workflowKind": "flow"}
    for each in msgspec.structs.fields(COMMANDS[command]):
        if each.required and each.type is not Payload:
            must.setdefault(camel_case(each.name), "a")
    return json.dumps(must | {camel_case(field): number}).encode()


@pytest.mark.parametrize(("command", "field"), NUMBERS)
@pytest.mark.parametrize("number", [LARGEST, SMALLEST], ids=["the largest", "the smallest"])
def test_the_ends_of_what_the_wire_can_say_are_taken_or_refused(
    tmp_path: Path, command: str, field: str, number: int
) -> None:
    turns = Turns(tmp_path / "store.db")
    turns.ask(StartWorkflow("flow", execution_id=X))
    claimed = turns.claim()
    told = command_from_data(command, data_of(command, field, number))
    (reply,) = turns.ask(SubmitWorkflowCommands(X, (told,), claim=claimed.claim))
    assert isinstance(reply, Submitted | Refused)
    turns.pass_time(10)
    turns.crash()
    turns.now = Instant(turns.now + 1)
    turns.ask(StartWorkflow("flow"))


@pytest.mark.parametrize(("command", "field"), NUMBERS)
@pytest.mark.parametrize("number", [LARGEST + 1, SMALLEST - 1], ids=["too large", "too small"])
def test_what_is_beyond_them_is_refused(command: str, field: str, number: int) -> None:
    with pytest.raises(InvalidInput, match=f"no command of type {command}"):
        command_from_data(command, data_of(command, field, number))
