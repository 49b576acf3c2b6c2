"""Fields that few of many have set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from rescind_server.engine.entities import Task

FieldT = TypeVar("FieldT")


class Rare(Generic[FieldT]):
    """A field of a task that few tasks have set: it takes up room in those alone.

    A million tasks may wait for a worker, and of what can happen to a task nothing has happened to them.
    """

    def __init__(self, unset: FieldT) -> None:
        self._unset = unset
        self._name = ""

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name

    def __get__(self, task: Task, owner: type[Task]) -> FieldT:
        rare = task.rare
        if rare is None:
            return self._unset
        value: FieldT = rare.get(self._name, self._unset)
        return value

    def __set__(self, task: Task, value: FieldT) -> None:
        if task.rare is not None:
            task.rare[self._name] = value
        elif value != self._unset:
            task.rare = {self._name: value}
