"""What a workflow is beyond any execution, for people: its event log, and what it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from rich.text import Text

from rescind.cli.columns import columns
from rescind.cli.demo_words import length_of_time
from rescind.cli.execution_parts import MARGIN, as_json
from rescind.cli.printable import printable
from rescind.model.status import TERMINAL_EXECUTION
from rescind.model.views import ExecutionView
from rescind.model.workflow_events import LoggedEvent, WorkflowSuspended
from rescind.model.workflow_json import event_data

_LONGEST_LOG: Final = 30
_LONGEST_TEXT: Final = 160


def event_lines(log: Sequence[LoggedEvent], view: ExecutionView) -> list[Text]:
    """The last events of a workflow's log, and what it waits for; nothing of an agent."""
    if not log:
        return []
    shown = log[-_LONGEST_LOG:]
    rows = [
        (str(each.sequence), each.event.event_type, length_of_time(each.at - view.created_at), _in_words(each))
        for each in shown
    ]
    lines = columns(("EVENTS", "", "AFTER", ""), rows, margin=MARGIN)
    if len(log) > len(shown):
        before = len(log) - len(shown)
        lines.append(Text(f"{MARGIN}… and {before} before these: rescind history {view.execution_id} --events"))
    last = log[-1].event
    if isinstance(last, WorkflowSuspended) and last.reason and view.status not in TERMINAL_EXECUTION:
        lines.append(Text(f"{MARGIN}{printable(last.reason)}"))
    return lines


def events_document(log: Sequence[LoggedEvent]) -> list[dict[str, Any]]:
    """The log as JSON values, in order."""
    return [
        {"sequence": each.sequence, "type": each.event.event_type, "data": msgspec.json.decode(event_data(each.event))}
        for each in log
    ]


def _in_words(logged: LoggedEvent) -> str:
    data: dict[str, Any] = msgspec.json.decode(event_data(logged.event))
    told = " ".join(f"{name}={as_json(value)}" for name, value in data.items())
    return told if len(told) <= _LONGEST_TEXT else f"{told[:_LONGEST_TEXT]}… ({len(told):,} characters)"
