"""``@agent``: a function that decides, durably."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, final, get_args, overload

from rescind.authoring.signature import Definition, InputT, OutputT, check_kind, local_names_of
from rescind.errors import InvalidInput
from rescind.model.options import DEFAULT_CLEANUP_BUDGET_MS, Seconds, milliseconds

Recovery = Literal["replay", "checkpoint"]
"""How an agent comes back: its journal answers from the first line, or it goes on from its last checkpoint."""

_RECOVERIES: Final = get_args(Recovery)


@final
class AgentDefinition(Definition[InputT, OutputT]):
    """An agent: made by ``@agent``, given to workers, clients and ``ctx.spawn_agent``.

    Attributes:
        kind: the name under which it is registered and started.
        run: the undecorated function; ``await cheapest.run(ctx, request)`` is how a unit test calls it.
        recovery: ``replay`` or ``checkpoint``.
        cleanup_budget_ms: how long it may clean up when it is cancelled, in milliseconds.
    """

    __slots__ = ("cleanup_budget_ms", "recovery")

    sort: ClassVar[str] = "agent"
    how_to_use: ClassVar[str] = (
        "In a unit test: `await {name}.run(ctx, …)`. Otherwise start it through a client, or from an agent through "
        "its context."
    )

    if TYPE_CHECKING:
        run: Callable[..., Coroutine[Any, Any, OutputT]]

    def __init__(
        self,
        kind: str,
        function: Callable[..., Any],
        *,
        recovery: Recovery = "replay",
        cleanup_budget: Seconds = DEFAULT_CLEANUP_BUDGET_MS / 1000,
        version: str = "1.0.0",
        description: str | None = None,
        tags: Iterable[str] = (),
        local_names: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(kind, function, version=version, description=description, tags=tags, local_names=local_names)
        if not self.signature.is_async:
            raise self.signature.error(
                "an agent waits, so it must be asynchronous. Write `async def` (and so must its wrappers)."
            )
        if recovery not in _RECOVERIES:
            raise self.signature.error(f"recovery is {recovery!r}. Give one of {', '.join(map(repr, _RECOVERIES))}.")
        self.recovery = recovery
        try:
            self.cleanup_budget_ms = milliseconds(cleanup_budget, "cleanup_budget")
        except InvalidInput as error:
            raise self.signature.error(str(error)) from None


class AgentDecorator(Protocol):
    """What ``@agent(kind)`` does to a function, for type checkers."""

    @overload
    def __call__(
        self, function: Callable[[Any, InputT], Coroutine[Any, Any, OutputT]], /
    ) -> AgentDefinition[InputT, OutputT]: ...
    @overload
    def __call__(
        self, function: Callable[[Any], Coroutine[Any, Any, OutputT]], /
    ) -> AgentDefinition[None, OutputT]: ...


def agent(
    kind: str,
    *,
    recovery: Recovery = "replay",
    cleanup_budget: Seconds = DEFAULT_CLEANUP_BUDGET_MS / 1000,
    version: str = "1.0.0",
    description: str | None = None,
    tags: Iterable[str] = (),
) -> AgentDecorator:
    """Define an agent: an ``async def`` of ``(ctx)`` or ``(ctx, input)``.

    Args:
        kind: the name under which it is registered and started.
        recovery: ``replay`` runs the function again from its first line while the journal answers; ``checkpoint`` lets
            it go on from ``ctx.state()``, and drops the journal before the last checkpoint.
        cleanup_budget: how long it may clean up when it is cancelled; seconds, or a timedelta.
        version: for people and catalogues.
        description: likewise.
        tags: likewise.

    Raises:
        InvalidInput: an option cannot be meant; or, when it is put on the function, that has the wrong form.
    """
    check_kind("agent", kind)

    def decorate(function: Callable[..., Any], /) -> AgentDefinition[Any, Any]:
        return AgentDefinition(
            kind,
            function,
            recovery=recovery,
            cleanup_budget=cleanup_budget,
            version=version,
            description=description,
            tags=tags,
            local_names=local_names_of(function, sys._getframe(1)),
        )

    return decorate
