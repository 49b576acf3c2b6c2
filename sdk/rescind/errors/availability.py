"""A server, a connection, a disk or an address is not to be had: see to it, or try again."""

from __future__ import annotations

from collections.abc import Sequence

from rescind.errors.base import RescindError


class StoreError(RescindError):
    """What must last cannot be written or read: a full disk, a locked file, a file of something else."""


class AddressUnavailable(RescindError):
    """A server cannot serve at its address: another program does, or the address is not of this machine."""


class ServerUnavailable(RescindError):
    """The server, or the connection to it, is gone. Try again: what was accepted is not lost."""


class NotAllAnswered(ServerUnavailable):
    """Some executions could not be asked of their tasks. What the others told was given before this is raised.

    Attributes:
        execution_ids: those that did not answer.
        found: how many tasks of the others were found.
    """

    def __init__(self, execution_ids: Sequence[str], found: int) -> None:
        these = f"execution {execution_ids[0]!r}"
        if len(execution_ids) > 1:
            these = f"{len(execution_ids):,} executions, {execution_ids[0]!r} among them"
        super().__init__(f"no worker answered soon for the tasks of {these}. Start workers for them, and try again.")
        self.execution_ids = tuple(execution_ids)
        self.found = found


class RateLimited(ServerUnavailable):
    """This token makes more calls than it may. Wait a moment, and make fewer; nothing of this call was carried out."""


class TlsFailed(ServerUnavailable):
    """There is a server, and no TLS with it: one of both certificates is missing, expired, or not trusted."""
