"""Tasks that are no functions: what a worker carries out for them stands in their definition."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict

from rescind.authoring.task import TaskDefinition
from rescind.errors import InvalidInput
from rescind.model.options import RetryPolicy, ScheduleAgentTaskOptions, Seconds
from rescind.model.texts import checked_text


class WorkOptions(TypedDict, total=False):
    """The options that all such tasks have, for type checkers."""

    check: bool
    output_folder: str | os.PathLike[str] | None
    queue: str | None
    timeout: Seconds | None
    schedule_to_start: Seconds | None
    start_to_close: Seconds | None
    schedule_to_close: Seconds | None
    idle: Seconds | None
    retry: RetryPolicy | None
    max_retries: int | None
    grace: Seconds | None
    labels: Mapping[str, str] | None
    version: str
    description: str | None
    tags: Iterable[str]


def patterns_given(allowed: Iterable[str], what: str) -> tuple[str, ...]:
    """The patterns of what an input may choose.

    Args:
        allowed: the patterns.
        what: what they are patterns of, in the singular.

    Raises:
        InvalidInput: there is none, or one is no text.
    """
    if isinstance(allowed, str):
        raise InvalidInput(f"allowed is the string {allowed!r}. Give a list of patterns.")
    patterns = tuple(checked_text(pattern, f"a pattern of {what}s") for pattern in allowed)
    if not patterns:
        raise InvalidInput(f"no {what} is allowed. Give at least one pattern.")
    return patterns


def work_definition(
    kind: str,
    work: object,
    *,
    executor: str,
    made_by: Callable[[Any], Any] | None,
    result: type,
    defaults: ScheduleAgentTaskOptions,
    **about: Any,
) -> TaskDefinition[Any, Any]:
    """The definition of a task that runs no function.

    Args:
        kind: the name under which it is registered and scheduled.
        work: what its executor carries out.
        executor: the executor.
        made_by: the function that makes the work of the task's input; None if it takes none.
        result: the type of its result.
        defaults: the options that hold where scheduling says nothing.
        about: version, description and tags.

    Raises:
        InvalidInput: the function does not take the task's input and nothing else, or an option cannot be meant.
    """

    def runs_elsewhere(ctx: Any, task_input: Any = None) -> Any:
        raise InvalidInput(
            f"{executor} task {kind!r} runs a program, in a worker. Schedule it; in a unit test, give a mock its "
            "result."
        )

    given: Any = runs_elsewhere
    given.__name__ = given.__qualname__ = kind
    given.__signature__ = _form(made_by, result)
    if made_by is not None:
        given.__wrapped__ = made_by  # where the names in its annotation are looked for
    return TaskDefinition(kind, given, defaults=defaults, executor=executor, work=work, **about)


def _form(made_by: Callable[[Any], Any] | None, result: type) -> inspect.Signature:
    """The form of a task whose input is of the type that its work is made of."""
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_ONLY)
    if made_by is None:
        return inspect.Signature([context], return_annotation=result)
    taken = list(inspect.signature(made_by).parameters.values())
    if not taken or any(each.default is inspect.Parameter.empty for each in taken[1:]):
        raise InvalidInput(f"{made_by!r} makes no command: it must take the task's input, and nothing else.")
    task_input = taken[0].replace(kind=inspect.Parameter.POSITIONAL_ONLY)
    return inspect.Signature([context, task_input], return_annotation=result)
