"""What all durable operations of an agent, and all their answers, have in common."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from rescind.model.payload import Payload


class WaitCondition(StrEnum):
    """When a wait for tasks, or for children, is over (cancellation.md, section 5)."""

    ALL_COMPLETED = "ALL_COMPLETED"
    """Every member completed, or one of them cannot any more."""
    ALL_ENDED = "ALL_ENDED"
    """Every member ended, however."""
    SOME_COMPLETED = "SOME_COMPLETED"
    """As many members as needed completed, or so many did not that this cannot happen any more."""
    ANY_ENDED = "ANY_ENDED"
    """One member ended, however."""


class Signal(msgspec.Struct, frozen=True, gc=False):
    """A message to an agent.

    Attributes:
        name: what it is about; agents select by it.
        value: what it says.
        sequence: its place in the order of arrival, from 1.
    """

    name: str
    value: Payload
    sequence: int = 0


class Operation(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A durable operation of an agent.

    Attributes:
        position: its place in the journal.
    """

    position: int

    @property
    def subject(self) -> str:
        """What it acts on, in a word: compared between journal and code, and shown where they differ."""
        return ""


class Answer(msgspec.Struct, frozen=True, gc=False, tag=True):
    """What an operation is resolved with."""
