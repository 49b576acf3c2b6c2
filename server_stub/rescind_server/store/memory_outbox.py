"""An outbox that lasts as long as its process."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from rescind.model.ids import Instant
from rescind_server.engine.state import Decision
from rescind_server.store.outbox import Change, ChangePlace, DeadPlace, Delivery, Depth, Settled, Told, Webhook


class MemoryOutbox:
    """See `Outbox`."""

    def __init__(self) -> None:
        self.told: Told | None = None
        self._webhooks: dict[str, Webhook] = {}
        # In the order of their numbers.
        self._deliveries: dict[str, Delivery] = {}
        self._number = 0
        # In the order of their numbers.
        self._changes: list[Change] = []

    def put_told(self, decisions: Sequence[Decision]) -> None:
        """Keep what webhooks are to be told of these decisions, as part of their commit."""
        if self.told is not None:
            self._put(self.told(decisions))

    def forget_dead_letters(self, given_up_before: Instant) -> None:
        """Remove dead letters that were given up before a time."""
        for each in self._chosen(None):
            if each.dead_at is not None and each.dead_at < given_up_before:
                del self._deliveries[each.delivery_id]

    def forget_changes(self, made_before: Instant) -> None:
        """Remove what was done with webhooks before a time."""
        self._changes = [each for each in self._changes if each.at >= made_before]

    def webhooks(self) -> Sequence[Webhook]:
        """See `Outbox.webhooks`."""
        return list(self._webhooks.values())

    async def put_webhook(self, webhook: Webhook, change: Change | None = None) -> None:
        """See `Outbox.put_webhook`."""
        self._webhooks[webhook.webhook_id] = webhook
        self._note(change)

    async def remove_webhook(self, webhook_id: str, change: Change | None = None) -> None:
        """See `Outbox.remove_webhook`."""
        for each in self._chosen((webhook_id,)):
            del self._deliveries[each.delivery_id]
        self._webhooks.pop(webhook_id, None)
        self._note(change)

    async def changes(self, organisation: str, since: Instant, before: ChangePlace, limit: int) -> Sequence[Change]:
        """See `Outbox.changes`."""
        found = [
            each
            for each in self._changes
            if each.organisation == organisation and each.at >= since and ChangePlace(each.at, each.number) < before
        ]
        return sorted(found, key=lambda each: (each.at, each.number), reverse=True)[:limit]

    async def add(self, delivery: Delivery) -> None:
        """See `Outbox.add`."""
        self._put((delivery,))

    async def waiting(self, webhook_id: str, limit: int) -> Sequence[Delivery]:
        """See `Outbox.waiting`."""
        waiting = [(each.due, each.number, each) for each in self._chosen((webhook_id,)) if each.due is not None]
        return [each for *_, each in sorted(waiting, key=lambda each: each[:2])[:limit]]

    async def settle(self, settled: Sequence[Settled]) -> None:
        """See `Outbox.settle`."""
        for each in settled:
            if each.is_delivered:
                self._deliveries.pop(each.delivery_id, None)
            elif each.delivery_id in self._deliveries:
                self._change(
                    self._deliveries[each.delivery_id],
                    attempts=each.attempts,
                    due=each.due,
                    dead_at=each.dead_at,
                    problem=each.problem,
                )

    async def bury(self, webhook_id: str, now: Instant, problem: str) -> None:
        """See `Outbox.bury`."""
        for each in self._chosen((webhook_id,)):
            if each.due is not None:
                self._change(each, due=None, dead_at=now, problem=problem)

    async def dead(self, webhook_ids: Collection[str], before: DeadPlace, limit: int) -> Sequence[Delivery]:
        """See `Outbox.dead`."""
        placed = [
            (DeadPlace(each.dead_at, each.number), each)
            for each in self._chosen(webhook_ids)
            if each.dead_at is not None
        ]
        found = sorted((each for each in placed if each[0] < before), key=lambda each: each[0], reverse=True)
        return [delivery for _, delivery in found[:limit]]

    async def dead_letter(self, delivery_id: str) -> Delivery | None:
        """See `Outbox.dead_letter`."""
        found = self._deliveries.get(delivery_id)
        return found if found is not None and found.dead_at is not None else None

    async def revive(self, webhook_ids: Collection[str], delivery_id: str | None, due: Instant) -> int:
        """See `Outbox.revive`."""
        chosen = [
            each
            for each in self._chosen(webhook_ids)
            if each.dead_at is not None and delivery_id in (None, each.delivery_id)
        ]
        for each in chosen:
            self._change(each, due=due, dead_at=None, attempts=0)
        return len(chosen)

    async def depths(self) -> Mapping[str, Depth]:
        """See `Outbox.depths`."""
        depths: dict[str, Depth] = {}
        for each in self._deliveries.values():
            waiting, dead = depths.get(each.webhook_id, Depth())
            depths[each.webhook_id] = Depth(waiting + (each.due is not None), dead + (each.due is None))
        return depths

    def _note(self, change: Change | None) -> None:
        if change is not None:
            self._number += 1
            self._changes.append(msgspec.structs.replace(change, number=self._number))

    def _put(self, deliveries: Iterable[Delivery]) -> None:
        for each in deliveries:
            self._number += 1
            self._deliveries[each.delivery_id] = msgspec.structs.replace(each, number=self._number)

    def _chosen(self, webhook_ids: Collection[str] | None) -> list[Delivery]:
        return [each for each in self._deliveries.values() if webhook_ids is None or each.webhook_id in webhook_ids]

    def _change(self, delivery: Delivery, **changes: object) -> None:
        self._deliveries[delivery.delivery_id] = msgspec.structs.replace(delivery, **changes)
