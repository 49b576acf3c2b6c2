"""What a worker knows: definitions by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any, Final, Generic, TypeVar

from rescind.authoring.signature import Definition, where_defined
from rescind.errors import DuplicateKind, InvalidInput, UnknownKind

DefinitionT = TypeVar("DefinitionT", bound=Definition[Any, Any])

_MOST_KINDS_SHOWN: Final = 30


class Registry(Generic[DefinitionT]):
    """Definitions of one sort by kind, in the order of their registration."""

    __slots__ = ("_by_kind", "_sort")

    def __init__(self, sort: type[DefinitionT]) -> None:
        """Make an empty registry of AgentDefinition or of TaskDefinition."""
        self._sort = sort
        self._by_kind: dict[str, DefinitionT] = {}

    def register(self, definition: DefinitionT) -> None:
        """Add a definition; the same one twice is the same as once.

        Raises:
            DuplicateKind: another definition has this kind.
            InvalidInput: a bare function, or a definition of another sort.
        """
        self._check_sort(definition)
        known = self._by_kind.setdefault(definition.kind, definition)
        if known is not definition:
            raise DuplicateKind(
                f"two {self._sort.sort}s have the kind {definition.kind!r}: {_place(known.run)} and "
                f"{_place(definition.run)}. Give one of them another kind."
            )

    def register_simple(self, kind: str, function: Callable[..., Any]) -> None:
        """Add a bare function of ``(ctx, value)``: JSON values in, JSON values out.

        Raises:
            DuplicateKind: another function has this kind.
            InvalidInput: the function has the wrong form.
        """
        known = self._by_kind.get(kind)
        if known is None or known.run is not function:
            self.register(self._sort.simple(kind, function))

    def get(self, kind: str) -> DefinitionT:
        """The definition of a kind.

        Raises:
            UnknownKind: there is none; the text names those that there are.
        """
        definition = self._by_kind.get(kind)
        if definition is None:
            raise UnknownKind(self._unknown(kind))
        return definition

    def has(self, kind: str) -> bool:
        """Whether there is a definition of this kind."""
        return kind in self._by_kind

    def kinds(self) -> tuple[str, ...]:
        """All kinds, in the order of their registration."""
        return tuple(self._by_kind)

    def __len__(self) -> int:
        return len(self._by_kind)

    def __iter__(self) -> Iterator[DefinitionT]:
        return iter(tuple(self._by_kind.values()))

    def __repr__(self) -> str:
        return f"<registry of {len(self)} {self._sort.sort}s: {self._known()}>"

    def _check_sort(self, definition: object) -> None:
        if isinstance(definition, self._sort):
            return
        sort = self._sort.sort
        if isinstance(definition, Definition):
            raise InvalidInput(f"{definition!r} was registered as {sort}. Register it with the {definition.sort}s.")
        if callable(definition):
            name = getattr(definition, "__name__", "name")
            raise InvalidInput(
                f"{_place(definition)} is no {sort} yet: decorate it with @{sort}('{name.replace('_', '-')}')."
            )
        raise InvalidInput(f"{definition!r} is no {sort}. Give what @{sort}(…) made of a function.")

    def _unknown(self, kind: str) -> str:
        close = get_close_matches(str(kind), self._by_kind, n=3)
        meant = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        return (
            f"no {self._sort.sort} of kind {kind!r} is registered here.{meant} Known: {self._known()}. "
            f"Define it with @{self._sort.sort}({kind!r}) and register it."
        )

    def _known(self) -> str:
        shown = ", ".join(map(repr, self.kinds()[:_MOST_KINDS_SHOWN])) or "none"
        more = len(self) - _MOST_KINDS_SHOWN
        return f"{shown} and {more} more" if more > 0 else shown


def _place(function: Callable[..., Any]) -> str:
    name = getattr(function, "__qualname__", repr(function))
    return f"{name} ({where_defined(function)})"
