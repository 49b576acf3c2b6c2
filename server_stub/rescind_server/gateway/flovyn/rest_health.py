"""Whether the server is well, as flovyn's tools ask for it; open to everybody."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import Response

from rescind_server.gateway.flovyn.rest_answers import HealthBody
from rescind_server.gateway.http.operations import Call, answer
from rescind_server.gateway.http.state import ServerState


class RestHealth:
    """Answers those who look after the server, in flovyn's words."""

    def __init__(self, state: ServerState, version: str) -> None:
        self._state = state
        self._version = version

    async def health(self, call: Call) -> Response:
        """Whether it is alive: it answers, and can go on."""
        return self._in_words(await self._state.health(call))

    async def ready(self, call: Call) -> Response:
        """Whether it takes requests."""
        return self._in_words(await self._state.ready(call))

    def _in_words(self, known: Response) -> Response:
        status = "UP" if known.status_code == HTTPStatus.OK else "DOWN"
        return answer(HealthBody(status, self._version), known.status_code)
