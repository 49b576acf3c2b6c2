"""The webhooks that there are, and what each is to be told of a commit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final

from rescind.errors import StoreError
from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import Decision
from rescind_server.store.outbox import Change, Delivery, Outbox, Webhook
from rescind_server.webhooks.notices import Outer, body_of, name_of

_LOG: Final = logging.getLogger(__name__)


class Registry:
    """Knows all webhooks. Where there are none, commits do not ask it.

    Attributes:
        outbox: where they are kept.
    """

    def __init__(self, outbox: Outbox, outer: Outer) -> None:
        """Take over what is kept. From now on commits write what webhooks are to be told.

        Args:
            outbox: where webhooks are kept.
            outer: turns the engine's names into those of an organisation.
        """
        self.outbox = outbox
        self._outer = outer
        self._webhooks: Mapping[str, Webhook] = {each.webhook_id: each for each in outbox.webhooks()}
        self._changing = asyncio.Lock()
        # Written by commits, read behind them.
        self._told: set[str] = set()
        self._tell_outbox()

    def all(self) -> Sequence[Webhook]:
        """All webhooks, of all organisations, the oldest first."""
        return list(self._webhooks.values())

    def get(self, webhook_id: str) -> Webhook | None:
        """One webhook; None if there is no such."""
        return self._webhooks.get(webhook_id)

    async def add(self, webhook: Webhook, asked: Change | None = None) -> None:
        """Keep a new webhook, and if somebody asked for it, what they did; durable when this returns."""
        async with self._changing:
            await self._put(webhook, asked)

    async def change(self, webhook_id: str, change: Callable[[Webhook], Webhook], asked: Change | None = None) -> None:
        """Put another in the place of a webhook, if it is there still; durable when this returns.

        Args:
            webhook_id: which.
            change: makes the other out of the one that is there.
            asked: what somebody asked for; None if nobody did.
        """
        async with self._changing:
            webhook = self._webhooks.get(webhook_id)
            if webhook is not None:
                await self._put(change(webhook), asked)

    async def remove(self, webhook_id: str, asked: Change | None = None) -> None:
        """Forget a webhook, and all that it was to be told; keep, if somebody asked for that, what they did."""
        async with self._changing:
            before = self._webhooks
            # First, so that no commit behind the removal writes anything for it.
            self._webhooks = {name: each for name, each in before.items() if name != webhook_id}
            try:
                await self.outbox.remove_webhook(webhook_id, asked)
            except StoreError:
                self._webhooks = before
                raise
            finally:
                self._tell_outbox()

    def take_told(self) -> set[str]:
        """The webhooks that commits have written something for since the last call."""
        told, self._told = self._told, set()
        return told

    def told(self, decisions: Sequence[Decision]) -> Sequence[Delivery]:
        """What webhooks are to be told of some decisions. It is called inside their commit."""
        # One mapping for the whole commit: another may be put in its place meanwhile.
        enabled = [each for each in self._webhooks.values() if each.disabled is None]
        deliveries: list[Delivery] = []
        for decision in decisions:
            for execution_id, event in decision.events:
                try:
                    deliveries += self._told_of(enabled, decision, execution_id, event)
                except Exception:
                    # Who tells is not to end who decides.
                    _LOG.exception("webhooks are not told of event %d of %s", event.sequence, execution_id)
        self._told.update(each.webhook_id for each in deliveries)
        return deliveries

    async def _put(self, webhook: Webhook, asked: Change | None) -> None:
        await self.outbox.put_webhook(webhook, asked)
        self._webhooks = {**self._webhooks, webhook.webhook_id: webhook}
        self._tell_outbox()

    def _tell_outbox(self) -> None:
        is_asked = any(each.disabled is None for each in self._webhooks.values())
        self.outbox.told = self.told if is_asked else None

    def _told_of(
        self, webhooks: Iterable[Webhook], decision: Decision, execution_id: ExecutionId, event: HistoryEvent
    ) -> list[Delivery]:
        name = name_of(event)
        if name is None:
            return []
        execution = decision.executions.get(execution_id) or decision.annotated[execution_id]
        task = decision.tasks.get(event.task_id) if event.task_id is not None else None
        those = [each for each in webhooks if name.value in each.events and _is_about(each, execution)]
        bodies = {
            with_result: body_of(name, execution, event, task, self._outer, with_result=with_result)
            for with_result in {each.with_result for each in those}
        }
        return [
            Delivery(
                _delivery_id(webhook, execution, event),
                webhook.webhook_id,
                name.value,
                execution_id,
                event.at,
                bodies[webhook.with_result],
                event.at,
            )
            for webhook in those
        ]


def _is_about(webhook: Webhook, execution: Execution) -> bool:
    return (
        webhook.organisation == execution.organisation
        and (not webhook.kinds or execution.kind in webhook.kinds)
        and webhook.labels.items() <= execution.labels.items()
    )


def _delivery_id(webhook: Webhook, execution: Execution, event: HistoryEvent) -> str:
    """The same for the same event, whoever asks; no order is given out twice, as ids of executions may be."""
    place = f"{webhook.webhook_id}:{execution.order}:{event.sequence}"
    return f"msg_{sha256(place.encode()).hexdigest()[:32]}"
