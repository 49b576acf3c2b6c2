"""Finds the sockets under a stream or a client of HTTP, and cuts them while another thread may be reading."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

# Where libraries keep what a response is read from; a stream of a language model's client has a `response`.
_UNDER_A_STREAM: Final = (
    "response",
    "_response",
    "raw",
    "_connection",
    "sock",
    "_sock",
    "fp",
    "_fp",
    "_original_response",
)
# Where they keep the connections of a client. Never looked at below a stream: its neighbours' are there, too.
_UNDER_A_CLIENT: Final = (
    "_client",
    "_transport",
    "_mounts",
    "_pool",
    "_connections",
    "_connection",
    "_network_stream",
    "_sock",
    "sock",
)
_DEEPEST: Final = 12
_DRAINED_AT_MOST: Final = 1_024
_PIECE: Final = 65_536


def sockets_under(resource: Any) -> list[Any]:
    """The sockets that a response or a stream is read from, or those that a client holds open; may be none."""
    if sockets := _found_from([resource], _UNDER_A_STREAM):
        return sockets
    if _inside(resource, _UNDER_A_STREAM):
        return []
    return _found_from([resource], _UNDER_A_CLIENT)


def cut(connected: Any) -> socket.socket | None:
    """Have every read and write of a socket end at once, also one that another thread is blocked in.

    Closing would neither wake that thread nor be safe: the descriptor's number may be another file's by the time that
    the thread uses it.

    Returns:
        What still holds the descriptor, to be closed when nobody can be reading any more; None if `connected` does.
    """
    if not isinstance(connected, socket.socket):
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)
        return None
    if isinstance(connected, ssl.SSLSocket):
        _cut_encrypted(connected)
        return None
    # What has arrived could still be read after a shutdown, for seconds where the server is quick. This ends it.
    descriptor = connected.detach()
    if descriptor < 0:  # it was closed, or cut before
        return None
    held = socket.socket(connected.family, connected.type, connected.proto, fileno=descriptor)
    with suppress(OSError):
        held.shutdown(socket.SHUT_RDWR)
    return held


def _cut_encrypted(connected: ssl.SSLSocket) -> None:
    """OpenSSL reads from the descriptor itself, so it is emptied; bytes that are missing are an error to it."""
    with suppress(OSError):
        # Not the method of SSLSocket: that one would have the other thread read what is encrypted as if it were plain.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
        for _ in range(_DRAINED_AT_MOST):
            if not socket.socket.recv(connected, _PIECE):
                return


def _found_from(level: list[Any], names: Iterable[str]) -> list[Any]:
    seen: set[int] = set()
    sockets = []
    for _ in range(_DEEPEST):
        below = []
        for each in level:
            # Those of asyncio and of other libraries for TLS are no `socket.socket`.
            if hasattr(each, "shutdown") and hasattr(each, "getsockname"):
                sockets.append(each)
            else:
                below += _inside(each, names)
        level = list({id(each): each for each in below if id(each) not in seen}.values())
        seen.update(map(id, level))
    return sockets


def _inside(thing: Any, names: Iterable[str]) -> list[Any]:
    if isinstance(thing, dict):
        return list(thing.values())
    if isinstance(thing, list | tuple):
        return list(thing)
    found = []
    extensions = getattr(thing, "extensions", None)
    if isinstance(extensions, dict) and (stream := extensions.get("network_stream")) is not None:
        with suppress(Exception):  # it is a library's own code, and what cannot be found is not cut
            found.append(stream.get_extra_info("socket"))
    for name in names:
        with suppress(Exception):  # properties of closed responses raise what they like
            found.append(getattr(thing, name, None))
    return [each for each in found if each is not None and not isinstance(each, str | bytes | int)]
