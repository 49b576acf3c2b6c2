"""The operations on webhooks. Operators alone may use them, each for its organisation."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from rescind.model.events import iso_time
from rescind.model.webhooks import DeadDelivery, WebhookEvent, WebhookRequest, WebhookSecret, WebhookView
from rescind_server.access.tokens import Role
from rescind_server.gateway.http.operations import Call, answer
from rescind_server.gateway.http.shown import moment
from rescind_server.gateway.http.webhook_bodies import (
    AddWebhookBody,
    DeadDeliveryBody,
    DeadPage,
    DeadQuery,
    PingBody,
    RetriedBody,
    RetryBody,
    RotateBody,
    WebhookBody,
    WebhookList,
    WebhookSecretBody,
)
from rescind_server.webhooks.operating import Webhooks

WEBHOOKS: Final = "/api/v1/webhooks"


class WebhookCalls:
    """Carries out what operators ask about webhooks."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    async def list_all(self, call: Call) -> Response:
        """All webhooks of the organisation."""
        found = await self._webhooks.all(_organisation(call))
        return answer(WebhookList(tuple(webhook_body(each) for each in found)))

    async def add(self, call: Call) -> Response:
        """Add one: what happens from now on is told to it."""
        organisation = _organisation(call)
        body: AddWebhookBody = call.body
        request = WebhookRequest(
            url=body.url,
            events=body.events,
            kinds=body.kinds,
            labels=body.labels,
            description=body.description,
            with_result=body.with_result,
            allow_http=body.allow_http,
        )
        added = await self._webhooks.add(organisation, request, call.caller.name_for(""))
        where = f"{WEBHOOKS}/{quote(added.webhook.webhook_id, safe='')}"
        return answer(_secret_body(added), HTTPStatus.CREATED, {"location": where})

    async def show(self, call: Call) -> Response:
        """One webhook."""
        return answer(webhook_body(await self._webhooks.show(_organisation(call), call.path["webhook_id"])))

    async def remove(self, call: Call) -> Response:
        """Remove one with all its deliveries; answers with it as it was."""
        removed = await self._webhooks.remove(_organisation(call), call.path["webhook_id"], call.caller.name_for(""))
        return answer(webhook_body(removed))

    async def enable(self, call: Call) -> Response:
        """Tell one again that was disabled."""
        enabled = await self._webhooks.enable(_organisation(call), call.path["webhook_id"], call.caller.name_for(""))
        return answer(webhook_body(enabled))

    async def rotate(self, call: Call) -> Response:
        """Give one a new secret."""
        body: RotateBody = call.body
        by = call.caller.name_for("")
        overlap_ms = round(body.overlap_ms) if body.overlap_ms is not None else None
        rotated = await self._webhooks.rotate(_organisation(call), call.path["webhook_id"], by, overlap_ms)
        return answer(_secret_body(rotated))

    async def test(self, call: Call) -> Response:
        """Send one a ping."""
        return answer(PingBody(await self._webhooks.test(_organisation(call), call.path["webhook_id"])))

    async def dead(self, call: Call) -> Response:
        """A page of dead letters."""
        query: DeadQuery = call.query
        found, token = await self._webhooks.dead(
            _organisation(call), query.webhook_id or "", query.page_size, query.page_token
        )
        return answer(DeadPage(tuple(_dead_body(each) for each in found), token))

    async def retry(self, call: Call) -> Response:
        """Try dead letters anew."""
        body: RetryBody = call.body
        count = await self._webhooks.retry(_organisation(call), body.webhook_id or "", body.delivery_id or "")
        return answer(RetriedBody(count))


def webhook_body(view: WebhookView) -> WebhookBody:
    """A webhook."""
    return WebhookBody(
        webhook_id=view.webhook_id,
        url=view.url,
        events=tuple(map(WebhookEvent, view.events)),
        kinds=view.kinds,
        labels=view.labels,
        description=view.description,
        with_result=view.with_result,
        created_by=view.created_by,
        created_at=iso_time(view.created_at),
        disabled=view.disabled,
        old_secret_until=moment(view.old_secret_until),
        waiting=view.waiting,
        dead=view.dead,
    )


def _organisation(call: Call) -> str:
    """Whose webhooks are meant. Raises NotPermitted for others than operators."""
    call.caller.require(Role.OPERATOR)
    return call.caller.organisation


def _secret_body(secret: WebhookSecret) -> WebhookSecretBody:
    return WebhookSecretBody(webhook_body(secret.webhook), secret.secret)


def _dead_body(letter: DeadDelivery) -> DeadDeliveryBody:
    return DeadDeliveryBody(
        delivery_id=letter.delivery_id,
        webhook_id=letter.webhook_id,
        event=WebhookEvent(letter.event),
        execution_id=letter.execution_id or None,
        created_at=iso_time(letter.created_at),
        attempts=letter.attempts,
        dead_at=iso_time(letter.dead_at),
        problem=letter.problem,
    )
