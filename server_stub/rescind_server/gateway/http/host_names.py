"""Names under which an open server is asked: those of this machine itself, and none that another site chose.

A browser lets the pages of a site ask the server that the site's name leads to. Who owns a name can let it lead to this
machine's loopback, and a server that asks for no tokens would then answer to that site. The name that the browser was
told stands in `Host`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from rescind.errors import NotPermitted
from rescind_server.access.addresses import is_loopback
from rescind_server.gateway.http.problems import problem

OPTION: Final = "--http-name"

_PORT: Final = re.compile(r":[0-9]*\Z")
_SHOWN: Final = 100


class NamedRequests:
    """Stands before an open server, and refuses what was meant for a host of another name."""

    def __init__(self, inside: ASGIApp, names: Iterable[str]) -> None:
        """Put it before an application.

        Args:
            inside: what answers.
            names: further ones, besides those of the loopback, without a port.
        """
        self._inside = inside
        self._names = frozenset(each.lower() for each in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        for name, value in scope["headers"]:
            host = value.decode("latin-1") if name == b"host" else ""
            # No browser leaves the host out.
            if host and not self._is_ours(host):
                refusal = f"this was sent to {host[:_SHOWN]!r}, and access without tokens is for this machine alone."
                action = f"Ask at 127.0.0.1 or localhost, or name the host: rescind server {OPTION} NAME."
                await problem(HTTPStatus.FORBIDDEN, NotPermitted(refusal), action)(scope, receive, send)
                return
        await self._inside(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        name = _PORT.sub("", host).lower().removesuffix(".")
        return name in self._names or name.endswith(".localhost") or is_loopback(f"{name}:0")
