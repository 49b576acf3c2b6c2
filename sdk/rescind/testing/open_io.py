"""What of a loop's files may bring something from outside."""

from __future__ import annotations

import enum
import socket
from typing import Any


class Outside(enum.Enum):
    """What of the world outside may still call the loop."""

    OPEN = "something is on its way: it holds the clock"
    LISTENING = "somebody may call, or never"
    CLOSED = "nothing"


def outside_of(registered: set[int], own: set[int]) -> Outside:
    """Whether anything can come in through the files that a loop watches.

    Args:
        registered: the descriptors that it watches.
        own: these, and those of all sockets that belong to it, watched or not.
    """
    open_ends = {descriptor for descriptor in registered if not _waits_for_anyone(descriptor)}
    if open_ends and not _both_ends_are_own(open_ends, own):
        return Outside.OPEN
    return Outside.LISTENING if registered - open_ends else Outside.CLOSED


def _both_ends_are_own(descriptors: set[int], own: set[int]) -> bool:
    known = _addresses(own)
    names = {name for name, _ in known.values()}
    peers = {peer for _, peer in known.values()}
    # A client of a Unix socket has no name, so its server knows it only as someone who called the server's.
    return all(
        peer in names if peer else bool(name) and name in peers
        for descriptor in descriptors
        for name, peer in [known.get(descriptor, (None, None))]
    )


def _waits_for_anyone(descriptor: int) -> bool:
    """Whether it is a socket that listens, or a datagram socket without a peer."""
    connection = _socket_of(descriptor)
    if connection is None:
        return False
    try:
        if connection.type == socket.SOCK_DGRAM:
            return _peer(connection) is None
        return bool(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    finally:
        connection.detach()


def _addresses(descriptors: set[int]) -> dict[int, tuple[Any, Any]]:
    """Of each connected socket among `descriptors` its own address and its peer's."""
    addresses = {}
    for descriptor in descriptors:
        connection = _socket_of(descriptor)
        if connection is not None:
            peer = _peer(connection)
            if peer is not None:
                addresses[descriptor] = (connection.getsockname(), peer)
            connection.detach()
    return addresses


def _socket_of(descriptor: int) -> socket.socket | None:
    """A second object for the socket, to be detached after use; None if it is a pipe, a file, or closed."""
    try:
        return socket.socket(fileno=descriptor)
    except OSError:
        return None


def _peer(connection: socket.socket) -> Any:
    try:
        return connection.getpeername()
    except OSError:
        return None
