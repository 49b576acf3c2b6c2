"""The outbox: webhooks, and what they are still to be told. Written in the commits that make it happen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from rescind.model.audit import AuditAction
from rescind.model.ids import Instant
from rescind_server.engine.state import Decision


class Secret(msgspec.Struct, frozen=True):
    """What deliveries are signed with.

    Attributes:
        text: ``whsec_`` and random bytes in base64.
        until: when it is used no more; None for the present one.
    """

    text: str
    until: Instant | None = None


class Webhook(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody who is told of what happens; see `WebhookView`.

    Attributes:
        secrets: what deliveries are signed with, the present one first.
    """

    webhook_id: str
    organisation: str
    url: str
    events: tuple[str, ...]
    created_by: str
    created_at: Instant
    secrets: tuple[Secret, ...]
    kinds: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    description: str = ""
    with_result: bool = False
    allow_http: bool = False
    disabled: str | None = None


class Delivery(msgspec.Struct, frozen=True):
    """Something that a webhook is to be told.

    Attributes:
        delivery_id: its id, the same at every attempt.
        webhook_id: who is to be told.
        event: of what.
        execution_id: of which execution, as the engine knows it; empty if of none.
        created_at: when it happened.
        body: what is sent.
        due: when to try it next; None for a dead letter.
        number: its place in the order of writing; 0 before it was written.
        attempts: how often it was tried.
        dead_at: when it was given up.
        problem: what the last attempt met.
    """

    delivery_id: str
    webhook_id: str
    event: str
    execution_id: str
    created_at: Instant
    body: bytes
    due: Instant | None
    number: int = 0
    attempts: int = 0
    dead_at: Instant | None = None
    problem: str = ""


class Depth(NamedTuple):
    """How much there is of a webhook.

    Attributes:
        waiting: deliveries that are still to be made.
        dead: deliveries that were given up.
    """

    waiting: int = 0
    dead: int = 0


class Settled(NamedTuple):
    """What became of an attempt: delivered and forgotten, to be tried again, or given up.

    Attributes:
        delivery_id: of which delivery.
        attempts: how often it was tried by now.
        due: when to try it again; None if it is not tried again.
        dead_at: when it was given up; None if it was not.
        problem: what the attempt met.
    """

    delivery_id: str
    attempts: int = 0
    due: Instant | None = None
    dead_at: Instant | None = None
    problem: str = ""

    @property
    def is_delivered(self) -> bool:
        return self.due is None and self.dead_at is None


class DeadPlace(NamedTuple):
    """The place of a dead letter in the order of giving up.

    Attributes:
        dead_at: when it was given up.
        number: its number.
    """

    dead_at: int
    number: int


THE_LATEST = DeadPlace(2**62, 2**62)


class Change(msgspec.Struct, frozen=True):
    """What somebody did with a webhook.

    Attributes:
        at: when.
        organisation: whose webhook it is.
        who: who asked.
        action: what for.
        subject: the webhook's id, and where it leads.
        number: its place in the order of writing; 0 before it was written.
    """

    at: Instant
    organisation: str
    who: str
    action: AuditAction
    subject: str
    number: int = 0


class ChangePlace(NamedTuple):
    """The place of a change in the order of time.

    Attributes:
        at: when it was made.
        number: its number.
    """

    at: int
    number: int


Told = Callable[[Sequence[Decision]], Sequence[Delivery]]
"""What webhooks are to be told of some decisions. It is called inside their commit, maybe on another thread."""


class Outbox(Protocol):
    """Keeps webhooks and their deliveries. Whatever changes them is durable when it returns, or raises StoreError.

    Attributes:
        told: what a commit adds; None adds nothing, and costs nothing.
    """

    told: Told | None

    def webhooks(self) -> Sequence[Webhook]:
        """All webhooks, of all organisations, the oldest first."""

    async def put_webhook(self, webhook: Webhook, change: Change | None = None) -> None:
        """Keep a webhook, new or changed; and, if somebody asked for that, what they did."""

    async def remove_webhook(self, webhook_id: str, change: Change | None = None) -> None:
        """Forget a webhook with all its deliveries; and keep, if somebody asked for that, what they did."""

    async def changes(self, organisation: str, since: Instant, before: ChangePlace, limit: int) -> Sequence[Change]:
        """What was done with an organisation's webhooks from a time on and before a place, the last first."""

    async def add(self, delivery: Delivery) -> None:
        """Keep a delivery that belongs to no commit."""

    async def waiting(self, webhook_id: str, limit: int) -> Sequence[Delivery]:
        """The deliveries to a webhook that are not dead, the first due first; what is due at once, by its number."""

    async def settle(self, settled: Sequence[Settled]) -> None:
        """Write down what became of attempts. Those of deliveries that are not kept any more are passed over."""

    async def bury(self, webhook_id: str, now: Instant, problem: str) -> None:
        """Give up all deliveries to a webhook."""

    async def dead(self, webhook_ids: Collection[str], before: DeadPlace, limit: int) -> Sequence[Delivery]:
        """Dead letters to these webhooks before a place, the last given up first."""

    async def dead_letter(self, delivery_id: str) -> Delivery | None:
        """One dead letter; None if there is no such."""

    async def revive(self, webhook_ids: Collection[str], delivery_id: str | None, due: Instant) -> int:
        """Let dead letters to these webhooks be tried anew, one or all; returns how many there were."""

    async def depths(self) -> Mapping[str, Depth]:
        """How much there is, by webhook; what has nothing is not in it."""
