"""`GET /metrics`: figures for Prometheus."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import Response

from rescind.errors import RescindError, ServerUnavailable, StoreError
from rescind_server.gateway.client_requests import ClientRequests
from rescind_server.gateway.http.operations import Call
from rescind_server.gateway.http.problems import problem
from rescind_server.telling.counts import Counts
from rescind_server.webhooks.operating import Webhooks


class Metrics:
    """Answers with what was counted, and with what waits now."""

    def __init__(self, counts: Counts, requests: ClientRequests, webhooks: Webhooks) -> None:
        self._counts = counts
        self._requests = requests
        self._webhooks = webhooks

    async def show(self, call: Call) -> Response:
        """All figures of the caller's organisation, and of the server."""
        facts = await self._requests.facts(call.caller)
        try:
            from rescind_server.telling.exposition import MEDIA_TYPE, exposition  # noqa: PLC0415 - an extra
            from rescind_server.webhooks.exposition import delivery_figures  # noqa: PLC0415
        except ImportError:
            missing = RescindError("figures are told with prometheus-client, which this server does not have.")
            return problem(HTTPStatus.NOT_IMPLEMENTED, missing, "Install it there: pip install 'rescind[telemetry]'.")
        organisation = call.caller.organisation
        try:
            stuck = await self._requests.stuck(call.caller, 1, None)
            deliveries = delivery_figures(*await self._webhooks.figures(organisation))
        except (StoreError, ServerUnavailable):
            # What was counted is told all the same, and that the store takes nothing.
            stuck, deliveries = None, []
        return Response(exposition(organisation, self._counts, facts, stuck, deliveries), media_type=MEDIA_TYPE)
