"""An execution with all that it has spawned, as a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from rescind.cli.columns import columns
from rescind.cli.demo_bars import QUIET
from rescind.cli.execution_parts import MARGIN
from rescind.errors import NotFound, ServerUnavailable
from rescind.model.status import TERMINAL_EXECUTION, ExecutionStatus
from rescind.model.views import ChildView, ExecutionDetails

if TYPE_CHECKING:
    from rescind.client.connecting import Client
    from rescind.temporal import TemporalClient

MOST_SHOWN: Final = 200
"""How many descendants are looked up; a larger tree is shown without the deepest of them."""
STILL_STOPPING: Final = ", still stopping"
"""What stands behind the status of an execution that has ended, and of which something still stops."""


@dataclass(frozen=True, slots=True)
class Member:
    """A descendant, with what it has spawned itself.

    Attributes:
        child: itself, as its parent knows it.
        children: what it has spawned.
        stopping: how much of it is still being stopped, if it is cancelled or has ended; None if that is not known.
    """

    child: ChildView
    children: tuple[Member, ...] = ()
    stopping: int | None = None


async def family_of(client: Client | TemporalClient, details: ExecutionDetails) -> tuple[Member, ...]:
    """All that an execution has spawned, level by level, as far as it is not too much."""
    below: dict[str, tuple[ChildView, ...]] = {details.execution.execution_id: details.children}
    stopping: dict[str, int | None] = {}
    waiting = list(details.children)
    while waiting and len(below) <= MOST_SHOWN:
        child = waiting.pop(0)
        try:
            looked_up = await client.handle(child.execution_id).details()
            found, stopping[child.execution_id] = looked_up.children, looked_up.execution.stopping
        except (NotFound, ServerUnavailable):
            # Removed since, or not to be reached: it is shown as its parent knows it.
            found = ()
        below[child.execution_id] = found
        waiting += found
    return _members(details.execution.execution_id, below, stopping)


def family_lines(members: Sequence[Member]) -> list[Text]:
    """The tree, a line for each."""
    rows = [
        (f"{'  ' * depth}{member.child.execution_id}", member.child.kind, _status(member), _policy(member.child))
        for depth, member in _in_order(members, 0)
    ]
    return columns(("CHILDREN", "KIND", "STATUS", ""), rows, margin=MARGIN) if rows else []


def family_document(members: Sequence[Member]) -> list[dict[str, Any]]:
    """The tree, as nested objects."""
    return [
        {
            "execution_id": member.child.execution_id,
            "kind": member.child.kind,
            "parent_close": member.child.parent_close.value,
            "status": member.child.status.value if member.child.status is not None else None,
            "stopping": member.stopping,
            "children": family_document(member.children),
        }
        for member in members
    ]


def _members(
    execution_id: str, below: Mapping[str, tuple[ChildView, ...]], stopping: Mapping[str, int | None]
) -> tuple[Member, ...]:
    return tuple(
        Member(child, _members(child.execution_id, below, stopping), stopping.get(child.execution_id))
        for child in below.get(execution_id, ())
    )


def _in_order(members: Sequence[Member], depth: int) -> Iterator[tuple[int, Member]]:
    for member in members:
        yield depth, member
        yield from _in_order(member.children, depth + 1)


def _status(member: Member) -> Text:
    status = member.child.status
    if status is None:
        return Text("unknown", QUIET)
    colours = {ExecutionStatus.COMPLETED: "green", ExecutionStatus.FAILED: "red", ExecutionStatus.CANCELLED: "yellow"}
    is_stopping = bool(member.stopping) and status in TERMINAL_EXECUTION
    return Text(status.value + (STILL_STOPPING if is_stopping else ""), colours.get(status, ""))


def _policy(child: ChildView) -> Text:
    return Text("" if child.parent_close.value == "CANCEL" else "goes on without its parent", QUIET)
