"""``@task``: a function that does work, and may fail, be retried and be stopped."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any, ClassVar, Final, Literal, NamedTuple, Protocol, final, overload

import msgspec

from rescind.authoring.signature import Definition, InputT, OutputT, check_kind, innermost, local_names_of
from rescind.errors import InvalidInput
from rescind.model.options import (
    DEFAULT_RETRY_POLICY,
    DEFAULT_TASK_OPTIONS,
    MOST_RETRIES,
    RetryPolicy,
    ScheduleAgentTaskOptions,
    Seconds,
    TaskOptions,
    milliseconds,
)
from rescind.model.status import ParentClosePolicy
from rescind.model.texts import checked_labels, checked_text

ExecutorName = Literal["async", "thread", "process"]
"""Who runs a task: the worker's event loop, one of its threads, or a process of its own."""

# The one list of executors of functions: name -> whether it runs `async def`. A new one gets a line here and in
# ExecutorName. Executors of other work, such as programs, are named by what defines it.
_RUNS_ASYNC: Final[Mapping[str, bool]] = {"async": True, "thread": False, "process": False}
_NOTHING_SAID: Final = ScheduleAgentTaskOptions()


@final
class TaskDefinition(Definition[InputT, OutputT]):
    """A task: made by ``@task``, given to workers and to ``ctx.schedule``.

    Attributes:
        kind: the name under which it is registered and scheduled.
        run: the undecorated function; ``await quote.run(ctx, request)`` is how a unit test calls it.
        executor: who runs it: ``async``, ``thread``, ``process`` or ``shell``.
        defaults: the options that hold where scheduling says nothing.
        work: what the executor carries out instead of the function; None if it is the function.
    """

    __slots__ = ("defaults", "executor", "work")

    sort: ClassVar[str] = "task"
    how_to_use: ClassVar[str] = (
        "From an agent: `await ctx.schedule({name}, …)`. In a unit test of the task itself: `{name}.run(ctx, …)`."
    )

    def __init__(
        self,
        kind: str,
        function: Callable[..., Any],
        *,
        defaults: ScheduleAgentTaskOptions = _NOTHING_SAID,
        executor: str | None = None,
        version: str = "1.0.0",
        description: str | None = None,
        tags: Iterable[str] = (),
        local_names: Mapping[str, object] | None = None,
        work: object = None,
    ) -> None:
        super().__init__(kind, function, version=version, description=description, tags=tags, local_names=local_names)
        self.work = work
        self.executor = executor if work is not None and executor else self._choose_executor(executor)
        self.defaults = defaults
        try:
            resolve_options(None, defaults)
        except InvalidInput as error:
            raise self.signature.error(str(error)) from None

    def _choose_executor(self, asked: str | None) -> str:
        is_async = self.signature.is_async
        if asked is None:
            if not is_async and inspect.iscoroutinefunction(innermost(self.run)):
                raise self.signature.error(
                    "an `async def` function is wrapped by a plain one, so it is unclear who awaits it. Make the "
                    "wrapper `async def`, or say executor='thread' if the wrapper runs it to its end."
                )
            return "async" if is_async else "thread"
        if asked not in _RUNS_ASYNC:
            raise self.signature.error(f"executor is {asked!r}. Give one of {', '.join(map(repr, _RUNS_ASYNC))}.")
        if _RUNS_ASYNC[asked] != is_async:
            sort, other = ("an `async def`", "`def`") if is_async else ("a plain `def`", "`async def`")
            raise self.signature.error(
                f"executor {asked!r} does not run {sort} function. Write {other}, or leave the executor out."
            )
        if asked == "process" and "<" in getattr(innermost(self.run), "__qualname__", "<"):
            raise self.signature.error(
                "another process cannot find a function that is defined inside another one. Define it at the top of "
                "its module."
            )
        return asked


class TaskDecorator(Protocol):
    """What ``@task(kind)`` does to a function, for type checkers."""

    @overload
    def __call__(
        self, function: Callable[[Any, InputT], Coroutine[Any, Any, OutputT]], /
    ) -> TaskDefinition[InputT, OutputT]: ...
    @overload
    def __call__(self, function: Callable[[Any], Coroutine[Any, Any, OutputT]], /) -> TaskDefinition[None, OutputT]: ...
    @overload
    def __call__(self, function: Callable[[Any, InputT], OutputT], /) -> TaskDefinition[InputT, OutputT]: ...
    @overload
    def __call__(self, function: Callable[[Any], OutputT], /) -> TaskDefinition[None, OutputT]: ...


def task(
    kind: str,
    *,
    queue: str | None = None,
    timeout: Seconds | None = None,
    schedule_to_start: Seconds | None = None,
    start_to_close: Seconds | None = None,
    schedule_to_close: Seconds | None = None,
    heartbeat: Seconds | None = None,
    idle: Seconds | None = None,
    retry: RetryPolicy | None = None,
    max_retries: int | None = None,
    grace: Seconds | None = None,
    labels: Mapping[str, str] | None = None,
    executor: ExecutorName | None = None,
    version: str = "1.0.0",
    description: str | None = None,
    tags: Iterable[str] = (),
) -> TaskDecorator:
    """Define a task: a function of ``(ctx)`` or ``(ctx, input)``, ``async def`` or plain.

    Args:
        kind: the name under which it is registered and scheduled.
        queue: holds where scheduling says nothing, as all the following; see ScheduleAgentTaskOptions.
        timeout: likewise, as `schedule_to_close`. Times are seconds or timedeltas.
        schedule_to_start: likewise.
        start_to_close: likewise.
        schedule_to_close: likewise.
        heartbeat: likewise.
        idle: likewise.
        retry: likewise.
        max_retries: likewise.
        grace: likewise.
        labels: likewise.
        executor: who runs it; left out, ``async`` for ``async def`` and ``thread`` for a plain function. ``process``
            runs a plain function in a process of its own, which can be killed.
        version: for people and catalogues.
        description: likewise.
        tags: likewise.

    Raises:
        InvalidInput: when it is put on the function: an option cannot be meant, or the function has the wrong form.
    """
    check_kind("task", kind)
    defaults = ScheduleAgentTaskOptions(
        queue=queue,
        timeout=timeout,
        schedule_to_start=schedule_to_start,
        start_to_close=start_to_close,
        schedule_to_close=schedule_to_close,
        heartbeat=heartbeat,
        idle=idle,
        retry=retry,
        max_retries=max_retries,
        grace=grace,
        labels=None if labels is None else dict(labels),
    )

    def decorate(function: Callable[..., Any], /) -> TaskDefinition[Any, Any]:
        return TaskDefinition(
            kind,
            function,
            defaults=defaults,
            executor=executor,
            version=version,
            description=description,
            tags=tags,
            local_names=local_names_of(function, sys._getframe(1)),
        )

    return decorate


# --- options ---------------------------------------------------------------------------------------------------------


class _Said(NamedTuple):
    """What one set of options says, without its queue, labels and idempotency key; hashable, so fit for a memo."""

    timeout: Seconds | None
    schedule_to_start: Seconds | None
    start_to_close: Seconds | None
    schedule_to_close: Seconds | None
    heartbeat: Seconds | None
    idle: Seconds | None
    retry: RetryPolicy | None
    max_retries: int | None
    grace: Seconds | None
    parent_close: ParentClosePolicy | None


_said_by: Final = attrgetter(*_Said._fields)


def resolve_options(
    given: ScheduleAgentTaskOptions | None, defaults: ScheduleAgentTaskOptions | None
) -> tuple[str | None, TaskOptions]:
    """Put together what was said when scheduling and what the task's definition says.

    Each option that `given` leaves out is taken from `defaults`, then from the engine's defaults. `max_retries` changes
    the number of attempts of the policy that would hold without it, and nothing else of it.

    Returns:
        The queue (None is the agent's own) and the options. Equal options are one shared object wherever possible, and
        DEFAULT_TASK_OPTIONS itself if nothing deviates.

    Raises:
        InvalidInput: an option cannot be meant, or one of `given` or `defaults` says the same thing twice.
    """
    if given is None:
        if defaults is None:
            return None, DEFAULT_TASK_OPTIONS
        given, defaults = defaults, None
    defaults = defaults or _NOTHING_SAID
    queue = given.queue if given.queue is not None else defaults.queue
    if queue is not None and (not isinstance(queue, str) or not queue):
        raise InvalidInput(f"queue is {queue!r}. Give a non-empty string, or leave it out.")
    if queue is not None:
        queue = checked_text(queue, "a queue's name")
    try:
        options = _merge(_said_by(given), _said_by(defaults))
    except TypeError:  # something that cannot be hashed: no option that could be meant
        options = _merge.__wrapped__(_said_by(given), _said_by(defaults))
    labels = given.labels if given.labels is not None else defaults.labels
    return queue, options if not labels else msgspec.structs.replace(options, labels=checked_labels(labels))


@lru_cache(maxsize=4096)
def _merge(given: tuple[Any, ...], base: tuple[Any, ...]) -> TaskOptions:
    said, otherwise = _Said(*given), _Said(*base)
    options = TaskOptions(
        retry=_policy(said, _policy(otherwise, DEFAULT_RETRY_POLICY)),
        schedule_to_start_ms=_time(said, otherwise, "schedule_to_start"),
        start_to_close_ms=_time(said, otherwise, "start_to_close"),
        heartbeat_ms=_time(said, otherwise, "heartbeat"),
        idle_ms=_time(said, otherwise, "idle"),
        schedule_to_close_ms=_or_else(_time_in_all(said), _time_in_all(otherwise)),
        grace_ms=_or_else(_time(said, otherwise, "grace"), DEFAULT_TASK_OPTIONS.grace_ms),
        parent_close=_parent_close(_or_else(said.parent_close, otherwise.parent_close)),
    )
    return DEFAULT_TASK_OPTIONS if options == DEFAULT_TASK_OPTIONS else options


def _or_else(value: Any, fallback: Any) -> Any:
    return fallback if value is None else value


def _time(said: _Said, otherwise: _Said, name: str) -> int | None:
    value = _or_else(getattr(said, name), getattr(otherwise, name))
    return None if value is None else milliseconds(value, name)


def _time_in_all(said: _Said) -> int | None:
    if said.timeout is None:
        return None if said.schedule_to_close is None else milliseconds(said.schedule_to_close, "schedule_to_close")
    if said.schedule_to_close is not None:
        raise InvalidInput(
            f"timeout is {said.timeout!r} and schedule_to_close is {said.schedule_to_close!r}; they are two words for "
            "one thing. Give one of them."
        )
    return milliseconds(said.timeout, "timeout")


def _policy(said: _Said, otherwise: RetryPolicy) -> RetryPolicy:
    if said.max_retries is None:
        policy = _or_else(said.retry, otherwise)
        if not isinstance(policy, RetryPolicy):
            raise InvalidInput(f"retry is {policy!r}. Give a RetryPolicy, or max_retries.")
        return policy
    if said.retry is not None:
        raise InvalidInput(
            f"both retry and max_retries={said.max_retries!r} are given. Put max_attempts into the RetryPolicy instead."
        )
    if isinstance(said.max_retries, bool) or not isinstance(said.max_retries, int) or said.max_retries < 0:
        raise InvalidInput(f"max_retries is {said.max_retries!r}. Give 0 (one attempt only) or more.")
    if said.max_retries > MOST_RETRIES:
        raise InvalidInput(f"max_retries is larger than {MOST_RETRIES:,}. Give at most that.")
    return msgspec.structs.replace(otherwise, max_attempts=said.max_retries + 1)


def _parent_close(policy: ParentClosePolicy | None) -> ParentClosePolicy:
    try:
        return DEFAULT_TASK_OPTIONS.parent_close if policy is None else ParentClosePolicy(policy)
    except ValueError:
        known = ", ".join(f"ParentClosePolicy.{member.name}" for member in ParentClosePolicy)
        raise InvalidInput(f"parent_close is {policy!r}. Give one of {known}.") from None
