"""Webhooks: who is told of what happens, over HTTP, and what they could not be told."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from rescind.model.ids import Instant


class WebhookEvent(StrEnum):
    """What a webhook can be told of."""

    EXECUTION_COMPLETED = "execution.completed"
    EXECUTION_FAILED = "execution.failed"
    EXECUTION_CANCELLED = "execution.cancelled"
    EXECUTION_CANCEL_REQUESTED = "execution.cancel_requested"
    TASK_COMPLETED = "task.completed"
    TASK_FAILED = "task.failed"
    TASK_CANCELLED = "task.cancelled"
    TASK_CANCEL_REQUESTED = "task.cancel_requested"
    TASK_STOPPED = "task.stopped"
    TASK_KILLED = "task.killed"
    TASK_LOST = "task.lost"
    PING = "webhook.ping"
    """Asked for by hand, whatever else a webhook is told of."""


DEFAULT_EVENTS = tuple(
    event
    for event in WebhookEvent
    if event not in (WebhookEvent.TASK_COMPLETED, WebhookEvent.TASK_FAILED, WebhookEvent.PING)
)
"""What a webhook is told of unless it is said: how executions end, and all that has to do with cancels."""


class WebhookRequest(msgspec.Struct, frozen=True):
    """A webhook to be added.

    Attributes:
        url: where to: ``https``, or ``http`` to this machine.
        events: what it is told of; ``execution.*`` is all of those. None takes `DEFAULT_EVENTS`.
        kinds: only what is about executions of these kinds; empty is all.
        labels: only what is about executions with each of these labels.
        description: what it is for, in words.
        with_result: whether it is told results, and the texts of failures.
        allow_http: whether ``http`` is allowed to other machines, too.
    """

    url: str
    events: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    description: str = ""
    with_result: bool = False
    allow_http: bool = False


class WebhookView(msgspec.Struct, frozen=True):
    """A webhook as it stands. Its secret is not in it.

    Attributes:
        webhook_id: its id.
        url: where to.
        events: what it is told of.
        kinds: of which kinds' executions; empty is all.
        labels: of executions with each of these labels.
        description: what it is for, in words.
        with_result: whether it is told results, and the texts of failures.
        created_by: who added it.
        created_at: when.
        disabled: why it is told nothing any more; None while it is.
        old_secret_until: until when what it is sent is signed with the secret before, too; None if there is none.
        waiting: how many deliveries are still to be made.
        dead: how many were given up.
    """

    webhook_id: str
    url: str
    events: tuple[str, ...]
    kinds: tuple[str, ...]
    labels: dict[str, str]
    description: str
    with_result: bool
    created_by: str
    created_at: Instant
    disabled: str | None = None
    old_secret_until: Instant | None = None
    waiting: int = 0
    dead: int = 0


class WebhookSecret(msgspec.Struct, frozen=True):
    """A webhook, and the secret that what it is sent is signed with.

    Attributes:
        webhook: the webhook.
        secret: ``whsec_`` and 32 random bytes in base64. It is shown this once.
    """

    webhook: WebhookView
    secret: str


class DeadDelivery(msgspec.Struct, frozen=True):
    """A delivery that was given up.

    Attributes:
        delivery_id: its id, which its receiver saw as ``webhook-id`` if it saw anything.
        webhook_id: who was to be told.
        event: of what.
        execution_id: of which execution; empty for a ping.
        created_at: when it happened.
        attempts: how often it was tried.
        dead_at: when it was given up.
        problem: what the last attempt met.
    """

    delivery_id: str
    webhook_id: str
    event: str
    execution_id: str
    created_at: Instant
    attempts: int
    dead_at: Instant
    problem: str
