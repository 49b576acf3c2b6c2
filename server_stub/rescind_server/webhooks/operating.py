"""What operators do with webhooks. Each organisation has its own, and none is told of another's."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from rescind.errors import InvalidInput, NotFound, RequestError
from rescind.model.audit import AuditAction
from rescind.model.ids import Instant
from rescind.model.webhooks import (
    DEFAULT_EVENTS,
    DeadDelivery,
    WebhookEvent,
    WebhookRequest,
    WebhookSecret,
    WebhookView,
)
from rescind_server.host.clock import Clock
from rescind_server.store.outbox import THE_LATEST, Change, DeadPlace, Delivery, Depth, Secret, Webhook
from rescind_server.webhooks.addresses import checked_url, shown_url
from rescind_server.webhooks.deliverer import Deliverer
from rescind_server.webhooks.figures import Result, total
from rescind_server.webhooks.notices import Outer, envelope
from rescind_server.webhooks.registry import Registry
from rescind_server.webhooks.signing import new_secret

_LOG: Final = logging.getLogger(__name__)

MOST_WEBHOOKS: Final = 100
"""How many webhooks an organisation may have."""
DEFAULT_OVERLAP_MS: Final = 24 * 60 * 60 * 1_000
"""For how long a secret is used beside the one that came after it."""
LONGEST_OVERLAP_MS: Final = 30 * DEFAULT_OVERLAP_MS
LONGEST_DESCRIPTION: Final = 1_000
MOST_CONDITIONS: Final = 100
"""How many kinds, and how many labels, a webhook may select by."""
_NO_DEPTH: Final = Depth()
_PLACE: Final = re.compile(r"(\d{1,18})\.(\d{1,18})", re.ASCII)
_CHOSEN: Final = tuple(event for event in WebhookEvent if event is not WebhookEvent.PING)


class Webhooks:
    """Adds, shows, changes and removes webhooks, and looks after what could not be delivered."""

    def __init__(
        self, registry: Registry, deliverer: Deliverer, clock: Clock, outer: Outer, *, allow_private: bool = True
    ) -> None:
        self._allow_private = allow_private
        self._registry = registry
        self._outbox = registry.outbox
        self._deliverer = deliverer
        self._clock = clock
        self._outer = outer

    async def add(self, organisation: str, request: WebhookRequest, by: str) -> WebhookSecret:
        """Add a webhook: what is committed from now on is told to it.

        Args:
            organisation: whose.
            request: what it is.
            by: who adds it.

        Raises:
            InvalidInput: a URL or an event that cannot be meant, or too much of something.
            RequestError: the organisation has too many.
            StoreError: the store takes nothing.
        """
        if len(self._of(organisation)) >= MOST_WEBHOOKS:
            raise RequestError(f"there are {MOST_WEBHOOKS} webhooks already. Remove one that nobody needs.")
        if len(request.description) > LONGEST_DESCRIPTION:
            raise InvalidInput(f"the description has more than {LONGEST_DESCRIPTION} letters. Give a shorter one.")
        if max(len(request.kinds), len(request.labels)) > MOST_CONDITIONS:
            raise InvalidInput(f"a webhook has at most {MOST_CONDITIONS} kinds, and as many labels.")
        secret = new_secret()
        webhook = Webhook(
            f"wh_{secrets.token_hex(8)}",
            organisation,
            checked_url(request.url, allow_http=request.allow_http, allow_private=self._allow_private),
            _events(request.events),
            by,
            self._clock.now(),
            (Secret(secret),),
            tuple(dict.fromkeys(request.kinds)),
            dict(request.labels),
            request.description,
            request.with_result,
            request.allow_http,
        )
        await self._registry.add(webhook, self._asked(webhook, AuditAction.ADD_WEBHOOK, by))
        _LOG.info("webhook %s to %s was added by %s", webhook.webhook_id, shown_url(webhook.url), by)
        return WebhookSecret(self._view(webhook, _NO_DEPTH), secret)

    async def all(self, organisation: str) -> Sequence[WebhookView]:
        """All webhooks of an organisation, the oldest first."""
        depths = await self._outbox.depths()
        return [self._view(each, depths.get(each.webhook_id, _NO_DEPTH)) for each in self._of(organisation)]

    async def show(self, organisation: str, webhook_id: str) -> WebhookView:
        """One webhook. Raises NotFound."""
        webhook = self._found(organisation, webhook_id)
        return self._view(webhook, (await self._outbox.depths()).get(webhook_id, _NO_DEPTH))

    async def remove(self, organisation: str, webhook_id: str, by: str) -> WebhookView:
        """Remove a webhook with all its deliveries; returns it as it was. Raises NotFound."""
        view = await self.show(organisation, webhook_id)
        asked = self._asked(self._found(organisation, webhook_id), AuditAction.REMOVE_WEBHOOK, by)
        await self._registry.remove(webhook_id, asked)
        await self._deliverer.leave(webhook_id)
        _LOG.info("webhook %s to %s was removed by %s", webhook_id, shown_url(view.url), by)
        return view

    async def enable(self, organisation: str, webhook_id: str, by: str) -> WebhookView:
        """Tell a webhook again that was disabled. Raises NotFound."""
        asked = self._asked(self._found(organisation, webhook_id), AuditAction.ENABLE_WEBHOOK, by)
        await self._registry.change(webhook_id, lambda each: replace(each, disabled=None), asked)
        self._deliverer.wake(webhook_id)
        return await self.show(organisation, webhook_id)

    async def rotate(self, organisation: str, webhook_id: str, by: str, overlap_ms: int | None = None) -> WebhookSecret:
        """Give a webhook a new secret.

        Args:
            organisation: whose it is.
            webhook_id: which.
            by: who asks.
            overlap_ms: for how long the one before is used, too, in milliseconds; None is a day.

        Raises:
            NotFound: there is no such webhook.
            InvalidInput: a time that cannot be meant.
        """
        asked = self._asked(self._found(organisation, webhook_id), AuditAction.ROTATE_WEBHOOK_SECRET, by)
        overlap = DEFAULT_OVERLAP_MS if overlap_ms is None else overlap_ms
        if not 0 <= overlap <= LONGEST_OVERLAP_MS:
            raise InvalidInput("the old secret is used for 0 to 30 days beside the new one. Give a time within that.")
        secret = new_secret()
        until = Instant(self._clock.now() + overlap * 1_000)

        def renewed(webhook: Webhook) -> Webhook:
            # Two at most, however often it is asked for.
            old = (Secret(webhook.secrets[0].text, until),) if overlap else ()
            return replace(webhook, secrets=(Secret(secret), *old))

        await self._registry.change(webhook_id, renewed, asked)
        _LOG.info("webhook %s has a new secret, as %s asked", webhook_id, by)
        return WebhookSecret(await self.show(organisation, webhook_id), secret)

    async def test(self, organisation: str, webhook_id: str) -> str:
        """Send a webhook a ping; returns the id of its delivery.

        Raises:
            NotFound: there is no such webhook.
            RequestError: it is disabled.
        """
        webhook = self._found(organisation, webhook_id)
        _ensure_enabled(webhook)
        now = self._clock.now()
        body = envelope(WebhookEvent.PING, now, {"webhook_id": webhook_id})
        delivery_id = f"msg_{secrets.token_hex(16)}"
        await self._outbox.add(Delivery(delivery_id, webhook_id, WebhookEvent.PING.value, "", now, body, now))
        self._deliverer.wake(webhook_id)
        return delivery_id

    async def dead(
        self, organisation: str, webhook_id: str, page_size: int, page_token: str
    ) -> tuple[Sequence[DeadDelivery], str]:
        """A page of dead letters, the last given up first, and the token of the next page; "" ends.

        Args:
            organisation: whose.
            webhook_id: of this webhook; "" is all.
            page_size: how many at most.
            page_token: what came with the page before; "" begins.

        Raises:
            NotFound: there is no such webhook.
            InvalidInput: the token is not one of ours.
        """
        chosen = self._chosen(organisation, webhook_id)
        found = await self._outbox.dead(chosen, _place(page_token), page_size + 1)
        page = found[:page_size]
        token = f"{page[-1].dead_at}.{page[-1].number}" if len(found) > page_size else ""
        return [self._dead_view(each) for each in page], token

    async def retry(self, organisation: str, webhook_id: str, delivery_id: str) -> int:
        """Try dead letters anew, from the first attempt on; returns how many.

        Args:
            organisation: whose.
            webhook_id: those of this webhook; "" is all webhooks. Those of disabled ones are left.
            delivery_id: this one; "" is all.

        Raises:
            NotFound: there is no such webhook, or no such dead letter.
            RequestError: the webhook is disabled.
        """
        chosen = self._chosen(organisation, webhook_id)
        if delivery_id:
            letter = await self._outbox.dead_letter(delivery_id)
            if letter is None or letter.webhook_id not in chosen:
                raise NotFound(f"there is no dead letter {delivery_id[:100]!r}. It may have been delivered meanwhile.")
            chosen = [letter.webhook_id]
        if webhook_id or delivery_id:
            for each in chosen:
                _ensure_enabled(self._found(organisation, each))
        enabled = [each for each in chosen if self._found(organisation, each).disabled is None]
        count = await self._outbox.revive(enabled, delivery_id or None, self._clock.now())
        for each in enabled:
            self._deliverer.wake(each)
        return count

    async def figures(self, organisation: str) -> tuple[Mapping[Result, int], Depth]:
        """What attempts of an organisation came to since the server began, and how much there is in its outbox."""
        own = {each.webhook_id for each in self._of(organisation)}
        depths = await self._outbox.depths() if own else {}
        return self._deliverer.counts.attempts(organisation), total(
            {name: depth for name, depth in depths.items() if name in own}
        )

    def _asked(self, webhook: Webhook, action: AuditAction, by: str) -> Change:
        """What goes into the audit trail. Of a URL's query nothing does: there may be keys in it."""
        subject = f"{webhook.webhook_id} {shown_url(webhook.url)}"
        return Change(self._clock.now(), webhook.organisation, by, action, subject)

    def _of(self, organisation: str) -> list[Webhook]:
        return [each for each in self._registry.all() if each.organisation == organisation]

    def _found(self, organisation: str, webhook_id: str) -> Webhook:
        webhook = self._registry.get(webhook_id)
        if webhook is None or webhook.organisation != organisation:
            raise NotFound(f"there is no webhook {webhook_id[:100]!r}.")
        return webhook

    def _chosen(self, organisation: str, webhook_id: str) -> list[str]:
        if webhook_id:
            return [self._found(organisation, webhook_id).webhook_id]
        return [each.webhook_id for each in self._of(organisation)]

    def _view(self, webhook: Webhook, depth: Depth) -> WebhookView:
        now = self._clock.now()
        old = max((each.until for each in webhook.secrets if each.until is not None), default=None)
        return WebhookView(
            webhook.webhook_id,
            webhook.url,
            webhook.events,
            webhook.kinds,
            webhook.labels,
            webhook.description,
            webhook.with_result,
            webhook.created_by,
            webhook.created_at,
            webhook.disabled,
            old if old is not None and old > now else None,
            *depth,
        )

    def _dead_view(self, letter: Delivery) -> DeadDelivery:
        assert letter.dead_at is not None
        return DeadDelivery(
            letter.delivery_id,
            letter.webhook_id,
            letter.event,
            self._outer(letter.execution_id),
            letter.created_at,
            letter.attempts,
            letter.dead_at,
            letter.problem,
        )


def _ensure_enabled(webhook: Webhook) -> None:
    if webhook.disabled is not None:
        raise RequestError(f"webhook {webhook.webhook_id} is disabled: {webhook.disabled}. Enable it first.")


def _events(given: Iterable[str]) -> tuple[str, ...]:
    """The events that are meant, in our order; those that are told unless said, if none is given."""
    wanted: set[str] = set()
    for each in given:
        matching = {event.value for event in _CHOSEN if event == each or _has_prefix(event, each)}
        if not matching:
            known = ", ".join(event.value for event in _CHOSEN)
            raise InvalidInput(f"there is no event {each[:100]!r}. Give some of: {known}; or execution.*, task.*, *.")
        wanted |= matching
    chosen = DEFAULT_EVENTS if not wanted else tuple(event for event in _CHOSEN if event.value in wanted)
    return tuple(event.value for event in chosen)


def _has_prefix(event: WebhookEvent, pattern: str) -> bool:
    return pattern.endswith("*") and event.value.startswith(pattern[:-1])


def _place(page_token: str) -> DeadPlace:
    if not page_token:
        return THE_LATEST
    place = _PLACE.fullmatch(page_token)
    if place is None:
        raise InvalidInput(f"{page_token[:100]!r} is no page token. Give the one that came with the page before.")
    return DeadPlace(int(place[1]), int(place[2]))
