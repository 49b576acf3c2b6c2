"""How a task is to be run: time-outs, retries, grace, queue."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import msgspec

from rescind.errors import InvalidInput
from rescind.model.status import ParentClosePolicy
from rescind.model.texts import checked_text

DEFAULT_QUEUE: Final = "default"
DEFAULT_GRACE_MS: Final = 10_000
DEFAULT_CLEANUP_BUDGET_MS: Final = 30_000

LONGEST_MS: Final = 100 * 365 * 24 * 3_600_000
"""The longest time that can be said, in milliseconds: 100 years. An agent's loop takes a longer wait for endless."""

MOST_RETRIES: Final = 1_000_000

Seconds = float | timedelta
"""A length of time as users give it: seconds, or a timedelta."""


class RetryPolicy(msgspec.Struct, frozen=True, gc=False):
    """How often a failed task is tried again, and after how long.

    The n-th retry waits ``initial_interval_ms * backoff ** (n - 1)``, at most ``maximum_interval_ms``.

    Attributes:
        max_attempts: attempts in all, the first included; at least 1. 4 matches ``max_retries`` 3 of flovyn.v1.
            Attempts that were lost with their worker are counted apart, up to the same number.
        initial_interval_ms: pause before the second attempt.
        backoff: factor from one pause to the next; at least 1.
        maximum_interval_ms: the longest pause.
        non_retryable: class names of errors after which no other attempt is made.
        retry_timeouts: also try again after ``start_to_close``, ``heartbeat`` and ``idle`` ran out.
    """

    max_attempts: int = 4
    initial_interval_ms: int = 1_000
    backoff: float = 2.0
    maximum_interval_ms: int = 60_000
    non_retryable: tuple[str, ...] = ()
    retry_timeouts: bool = False

    def __post_init__(self) -> None:
        self._check_types()
        if self.max_attempts < 1:
            raise InvalidInput(f"max_attempts is {self.max_attempts}; at least one attempt is made. Give 1 or more.")
        if self.max_attempts > MOST_RETRIES + 1:
            raise InvalidInput(f"max_attempts is {self.max_attempts}; at most {MOST_RETRIES + 1:,} are made.")
        if self.initial_interval_ms < 0 or self.maximum_interval_ms < 0 or not self.backoff >= 1:
            raise InvalidInput(
                f"a pause of {self.initial_interval_ms} ms growing by {self.backoff} up to {self.maximum_interval_ms} "
                "ms is no back-off. Give intervals of 0 or more and a factor of 1 or more."
            )
        if max(self.initial_interval_ms, self.maximum_interval_ms) > LONGEST_MS:
            raise InvalidInput(
                f"a pause of {self.initial_interval_ms} ms growing up to {self.maximum_interval_ms} ms is longer than "
                "100 years. Give shorter intervals."
            )

    def _check_types(self) -> None:
        for name in ("max_attempts", "initial_interval_ms", "maximum_interval_ms"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise InvalidInput(f"{name} is {value!r}. Give a whole number.")
        if isinstance(self.backoff, bool) or not isinstance(self.backoff, int | float) or self.backoff == math.inf:
            raise InvalidInput(f"backoff is {self.backoff!r}. Give a number of 1 or more.")
        for error_type in self.non_retryable:
            checked_text(error_type, "the name of an error's class", may_be_empty=True)

    def pause_before(self, attempt: int) -> int:
        """Milliseconds between the failure of the attempt before and attempt number `attempt` (2, 3, …)."""
        if self.initial_interval_ms == 0:
            return 0
        # Compared as logarithms: a power of a large attempt number would overflow (needs.md, I-30).
        growth = (attempt - 2) * math.log(self.backoff)
        if growth >= math.log(max(1.0, self.maximum_interval_ms / self.initial_interval_ms)):
            return self.maximum_interval_ms
        return int(min(self.maximum_interval_ms, self.initial_interval_ms * math.exp(growth) + 1e-6))


DEFAULT_RETRY_POLICY: Final = RetryPolicy()


class TaskOptions(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The options of one task as the engine keeps them. All times in milliseconds; None is no limit.

    Attributes:
        retry: see RetryPolicy.
        schedule_to_start_ms: longest time before the first attempt is claimed.
        start_to_close_ms: longest time of one attempt.
        schedule_to_close_ms: longest time in all, retries included.
        heartbeat_ms: longest silence of a running attempt; anything that it reports ends the silence.
        idle_ms: longest time without progress, output or streamed events.
        grace_ms: how long cancelled work may clean up before it is stopped by force.
        parent_close: what becomes of the task when its agent ends first.
        labels: free text by name, for filters and people.
    """

    retry: RetryPolicy = DEFAULT_RETRY_POLICY
    schedule_to_start_ms: int | None = None
    start_to_close_ms: int | None = None
    schedule_to_close_ms: int | None = None
    heartbeat_ms: int | None = None
    idle_ms: int | None = None
    grace_ms: int = DEFAULT_GRACE_MS
    parent_close: ParentClosePolicy = ParentClosePolicy.CANCEL
    labels: dict[str, str] = {}


DEFAULT_TASK_OPTIONS: Final = TaskOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleAgentTaskOptions:
    """What may be said when a task is scheduled. Whatever is None is taken from ``@task``, then from the defaults.

    Attributes:
        queue: the queue to put it on; else the task's own, else the agent's.
        timeout: the same as `schedule_to_close` (the Rust SDK's word for it).
        schedule_to_start: longest time before the first attempt is claimed.
        start_to_close: longest time of one attempt.
        schedule_to_close: longest time in all, retries included.
        heartbeat: longest silence of a running attempt.
        idle: longest time without progress, output or streamed events.
        retry: how often, and after how long, a failure is tried again.
        max_retries: shorthand for `retry` with ``max_attempts = max_retries + 1``.
        idempotency_key: within one agent, the same key is the same task, whatever its state.
        grace: how long cancelled work may clean up.
        parent_close: what becomes of the task when its agent ends first.
        labels: free text by name.

    Times are seconds or timedeltas.
    """

    queue: str | None = None
    timeout: Seconds | None = None
    schedule_to_start: Seconds | None = None
    start_to_close: Seconds | None = None
    schedule_to_close: Seconds | None = None
    heartbeat: Seconds | None = None
    idle: Seconds | None = None
    retry: RetryPolicy | None = None
    max_retries: int | None = None
    idempotency_key: str | None = None
    grace: Seconds | None = None
    parent_close: ParentClosePolicy | None = None
    labels: Mapping[str, str] | None = field(default=None)

    @classmethod
    def with_key(cls, idempotency_key: str) -> ScheduleAgentTaskOptions:
        """Options that say nothing but the idempotency key."""
        return cls(idempotency_key=idempotency_key)


def milliseconds(value: Seconds, name: str) -> int:
    """A user's length of time in whole milliseconds, rounded up.

    Raises:
        InvalidInput: negative, not finite, not a number, or longer than 100 years; the text names `name`.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    # Not math.isfinite: it overflows for a large whole number.
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise InvalidInput(f"{name} is {value!r}; give a length of time of 0 or more, in seconds or as a timedelta.")
    if seconds > LONGEST_MS / 1_000:
        raise InvalidInput(f"{name} is longer than 100 years. Give a shorter time, or leave it out for no limit.")
    return math.ceil(round(seconds * 1000, 6))
