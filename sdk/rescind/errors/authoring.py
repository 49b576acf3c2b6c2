"""Mend the code of an agent or a workflow, or its test."""

from __future__ import annotations

from rescind.errors.base import RescindError


class AuthoringError(RescindError):
    """The code of an agent, or of its test, must be mended."""


class NonDeterminismError(AuthoringError):
    """An agent that ran again took another path than its journal.

    The execution is parked, not failed: deploy code that takes the recorded path, and it goes on.
    """


class DeterminismViolation(NonDeterminismError):
    """A workflow's code asked for something else than its event log holds.

    Attributes:
        mismatch: what differs: ``TypeMismatch``, ``OperationNameMismatch``, ``TaskTypeMismatch``,
            ``ChildWorkflowMismatch``, ``PromiseNameMismatch``, ``TimerIdMismatch``, ``StateKeyMismatch``; or
            ``MissingCommand``, where the log holds what the code did not ask for.
        sequence: the number of the event in the log.
        expected: what the log holds.
        actual: what the code asked for; empty if nothing.
        place: file and line of the code; empty if not known.
    """

    def __init__(self, mismatch: str, sequence: int, expected: str, actual: str, place: str = "") -> None:
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in mismatch).strip()
        got = f"got {actual!r}" if actual else "the code asked for nothing"
        super().__init__(
            f"Determinism violation: {words.capitalize()} at sequence {sequence}: expected {expected!r}, {got}"
            f"{f' at {place}' if place else ''}. Deploy code that takes the recorded path."
        )
        self.mismatch = mismatch
        self.sequence = sequence
        self.expected = expected
        self.actual = actual
        self.place = place


class NotDurableError(AuthoringError):
    """An agent's body reached outside: a socket, a thread, a file. Use ``ctx.run`` or a task."""


class NotMocked(AuthoringError):
    """The agent under test asked a mock for something that the test did not set."""
