"""``@workflow``: a function that is replayed from its event log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, final, overload

from rescind.authoring.signature import Definition, InputT, OutputT, check_kind, local_names_of
from rescind.errors import InvalidInput
from rescind.model.options import DEFAULT_CLEANUP_BUDGET_MS, Seconds, milliseconds


@final
class WorkflowDefinition(Definition[InputT, OutputT]):
    """A workflow: made by ``@workflow``, given to workers, clients and ``ctx.schedule_workflow``.

    Attributes:
        kind: the name under which it is registered and started.
        run: the undecorated function; ``await order.run(ctx, request)`` is how a unit test calls it.
        cleanup_budget_ms: how long it may clean up when it is cancelled, in milliseconds.
    """

    __slots__ = ("cleanup_budget_ms",)

    sort: ClassVar[str] = "workflow"
    how_to_use: ClassVar[str] = (
        "In a unit test: `await {name}.run(ctx, …)`. Otherwise start it through a client, or from another workflow "
        "with ctx.schedule_workflow(name, {name}, …)."
    )

    if TYPE_CHECKING:
        run: Callable[..., Coroutine[Any, Any, OutputT]]

    def __init__(
        self,
        kind: str,
        function: Callable[..., Any],
        *,
        cleanup_budget: Seconds = DEFAULT_CLEANUP_BUDGET_MS / 1000,
        version: str = "1.0.0",
        description: str | None = None,
        tags: Iterable[str] = (),
        local_names: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(kind, function, version=version, description=description, tags=tags, local_names=local_names)
        if not self.signature.is_async:
            raise self.signature.error(
                "a workflow waits, so it must be asynchronous. Write `async def` (and so must its wrappers)."
            )
        try:
            self.cleanup_budget_ms = milliseconds(cleanup_budget, "cleanup_budget")
        except InvalidInput as error:
            raise self.signature.error(str(error)) from None


class WorkflowDecorator(Protocol):
    """What ``@workflow(kind)`` does to a function, for type checkers."""

    @overload
    def __call__(
        self, function: Callable[[Any, InputT], Coroutine[Any, Any, OutputT]], /
    ) -> WorkflowDefinition[InputT, OutputT]: ...
    @overload
    def __call__(
        self, function: Callable[[Any], Coroutine[Any, Any, OutputT]], /
    ) -> WorkflowDefinition[None, OutputT]: ...


def workflow(
    kind: str,
    *,
    cleanup_budget: Seconds = DEFAULT_CLEANUP_BUDGET_MS / 1000,
    version: str = "1.0.0",
    description: str | None = None,
    tags: Iterable[str] = (),
) -> WorkflowDecorator:
    """Define a workflow: an ``async def`` of ``(ctx)`` or ``(ctx, input)``.

    Its code must be deterministic: given the same events, it asks for the same things in the same order. Each pass
    over it begins at its first line, and its event log answers what was asked before.

    Args:
        kind: the name under which it is registered and started.
        cleanup_budget: how long it may clean up when it is cancelled; seconds, or a timedelta.
        version: given to each execution at its start, and shown with it.
        description: for people and catalogues.
        tags: likewise.

    Raises:
        InvalidInput: an option cannot be meant; or, when it is put on the function, that has the wrong form.
    """
    check_kind("workflow", kind)

    def decorate(function: Callable[..., Any], /) -> WorkflowDefinition[Any, Any]:
        return WorkflowDefinition(
            kind,
            function,
            cleanup_budget=cleanup_budget,
            version=version,
            description=description,
            tags=tags,
            local_names=local_names_of(function, sys._getframe(1)),
        )

    return decorate
