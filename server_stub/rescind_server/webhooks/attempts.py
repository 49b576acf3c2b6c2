"""An attempt to deliver, as those see it who have it made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from rescind.model.ids import Instant
from rescind_server.store.outbox import Delivery, Webhook


class Answer(NamedTuple):
    """What an attempt met.

    Attributes:
        problem: why it failed; empty if it was taken.
        is_gone: whether the receiver wants nothing any more.
        wait_s: how long it asks to wait, in seconds, if it does.
    """

    problem: str = ""
    is_gone: bool = False
    wait_s: float | None = None


Send = Callable[[Webhook, Delivery, Instant], Awaitable[Answer]]
"""Makes an attempt, at that time."""
