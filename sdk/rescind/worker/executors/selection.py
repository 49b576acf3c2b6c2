"""All executors of one worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rescind.authoring.task import TaskDefinition
from rescind.worker.executors.container import ContainerExecutor
from rescind.worker.executors.coroutine import CoroutineExecutor
from rescind.worker.executors.port import Executor
from rescind.worker.executors.process import ProcessExecutor
from rescind.worker.executors.shell import ShellExecutor
from rescind.worker.executors.supervision import ForkServer
from rescind.worker.executors.thread import ThreadExecutor


class Executors:
    """The executors by name, and what they share. They cost nothing before they are used."""

    def __init__(self, slots: int, payload_limit: int) -> None:
        """For a worker that runs at most `slots` attempts at once, and hands on payloads of at most so many bytes."""
        self._server = ForkServer()
        self._by_name: Final[Mapping[str, Executor]] = {
            "async": CoroutineExecutor(),
            "thread": ThreadExecutor(slots),
            "process": ProcessExecutor(self._server, payload_limit),
            "shell": ShellExecutor(self._server),
            "container": ContainerExecutor(),
        }

    def prepare(self, tasks: Iterable[TaskDefinition[Any, Any]]) -> None:
        """The worker begins, and knows these tasks."""
        for name in dict.fromkeys(task.executor for task in tasks):
            self._by_name[name].prepare()

    def of(self, definition: TaskDefinition[Any, Any]) -> Executor:
        """The executor of a task."""
        return self._by_name[definition.executor]

    def close(self) -> None:
        """The worker has ended: nothing is run any more. What can be killed is killed, and gone when this returns."""
        for executor in self._by_name.values():
            executor.close()
        self._server.close()
