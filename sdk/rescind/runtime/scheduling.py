"""From what an agent's author says to what is scheduled: everything is checked before anything happens."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypedDict

from rescind.authoring.conversion import encode
from rescind.authoring.task import TaskDefinition, resolve_options
from rescind.errors import InvalidInput
from rescind.model.options import RetryPolicy, ScheduleAgentTaskOptions, Seconds, TaskOptions
from rescind.model.payload import Payload
from rescind.model.status import ParentClosePolicy
from rescind.model.texts import checked_text


class OptionKeywords(TypedDict, total=False):
    """The fields of ScheduleAgentTaskOptions, as keywords."""

    queue: str | None
    timeout: Seconds | None
    schedule_to_start: Seconds | None
    start_to_close: Seconds | None
    schedule_to_close: Seconds | None
    heartbeat: Seconds | None
    idle: Seconds | None
    retry: RetryPolicy | None
    max_retries: int | None
    idempotency_key: str | None
    grace: Seconds | None
    parent_close: ParentClosePolicy | None
    labels: Mapping[str, str] | None


class Prepared(NamedTuple):
    """A task that can be scheduled as it stands: its input is written, its options are resolved.

    Attributes:
        kind: its kind.
        argument: its input, as it was given.
        payload: its input, as it is sent.
        queue: its queue; None is the agent's own.
        options: time-outs and retries.
        idempotency_key: the key that names it within its agent, if one does.
        result_type: how its result is read; None is plain JSON.
    """

    kind: str
    argument: Any
    payload: Payload
    queue: str | None
    options: TaskOptions
    idempotency_key: str | None
    result_type: Any


def prepare(
    task: TaskDefinition[Any, Any], argument: Any, given: ScheduleAgentTaskOptions | None, limit: int
) -> Prepared:
    """Prepare a task by its function. Raises InvalidInput, PayloadTooLarge."""
    if not isinstance(task, TaskDefinition):
        raise InvalidInput(
            f"schedule() was given {task!r}. Give it a function decorated with @task, or use schedule_raw(kind, input)."
        )
    payload = task.encode_input(argument, limit=limit)
    queue, options = resolve_options(given, task.defaults)
    return Prepared(task.kind, argument, payload, queue, options, _key(given), task.output_type)


def prepare_raw(kind: str, task_input: Any, given: ScheduleAgentTaskOptions | None, limit: int) -> Prepared:
    """Prepare a task by its kind, with any JSON value as its input. Raises InvalidInput, PayloadTooLarge."""
    kind = checked_text(kind, "a task's kind")
    payload = encode(task_input, what=f"input of task {kind!r}", limit=limit)
    queue, options = resolve_options(given, None)
    return Prepared(kind, task_input, payload, queue, options, _key(given), None)


def prepare_either(
    task: str | TaskDefinition[Any, Any], argument: Any, keywords: OptionKeywords, limit: int
) -> Prepared:
    """Prepare a task by its function or its kind."""
    given = options_from(None, keywords)
    if isinstance(task, TaskDefinition):
        return prepare(task, argument, given, limit)
    return prepare_raw(task, argument, given, limit)


def options_from(options: ScheduleAgentTaskOptions | None, keywords: OptionKeywords) -> ScheduleAgentTaskOptions | None:
    """Options with keywords before them. Raises InvalidInput for a keyword that is no option."""
    if not keywords:
        return options
    try:
        return dataclasses.replace(options or _NO_OPTIONS, **keywords)
    except TypeError:
        known = ", ".join(OptionKeywords.__annotations__)
        unknown = ", ".join(keywords.keys() - OptionKeywords.__annotations__.keys())
        raise InvalidInput(f"schedule() has no option {unknown}. It has: {known}.") from None


def _key(given: ScheduleAgentTaskOptions | None) -> str | None:
    if given is None or given.idempotency_key is None:
        return None
    return checked_text(given.idempotency_key, "an idempotency key")


_NO_OPTIONS: Final = ScheduleAgentTaskOptions()
