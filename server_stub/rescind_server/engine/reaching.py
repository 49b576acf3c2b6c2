"""What a cancel of many would reach, counted before it is done: executions, all below them, and work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rescind.model.ids import ExecutionId
from rescind.model.overviews import CancelReach
from rescind.model.status import ParentClosePolicy
from rescind_server.engine.entities import Execution, Task

if TYPE_CHECKING:
    from rescind_server.engine.machine import Engine


class Reach:
    """Counts once what is reached, however often it is selected or stands below something selected.

    A cancel goes on where nothing is cancelled yet. By force it goes everywhere, and into what is still being stopped.
    """

    def __init__(self, engine: Engine, *, hard: bool) -> None:
        """Begin with nothing.

        Args:
            engine: in whose memory to look.
            hard: whether it is a cancel by force.
        """
        self._engine = engine
        self._hard = hard
        self._selected: set[ExecutionId] = set()
        self._seen: set[ExecutionId] = set()
        self._ahead: list[ExecutionId] = []
        self._tasks = 0
        self._attempts = 0

    def select(self, execution_ids: Iterable[ExecutionId]) -> None:
        """These executions are selected: `look` counts what belongs to them.

        Those that never ran may be in no memory: nothing belongs to them.
        """
        for execution_id in execution_ids:
            self._selected.add(execution_id)
            self._go_to(execution_id)

    def look(self, step: int) -> bool:
        """Look at about `step` executions, children and tasks; returns whether there are more."""
        while self._ahead and step > 0:
            execution = self._engine.execution(self._ahead.pop())
            if execution is None or not self._is_reached(execution):
                step -= 1
                continue
            self._add_work(execution)
            below = list(self._children_of(execution))
            for child_id in below:
                self._go_to(child_id)
            step -= 1 + len(below) + len(execution.tasks)
        return bool(self._ahead)

    def add_tasks(self, tasks: Iterable[Task]) -> None:
        """Count these tasks, each of which is given once."""
        for task in tasks:
            self._add_task(task)

    @property
    def reach(self) -> CancelReach:
        """What was found."""
        descendants = len(self._seen - self._selected)
        return CancelReach(len(self._selected), descendants, self._tasks, self._attempts)

    def _go_to(self, execution_id: ExecutionId) -> None:
        if execution_id not in self._seen:
            self._seen.add(execution_id)
            self._ahead.append(execution_id)

    def _is_reached(self, execution: Execution) -> bool:
        return self._hard or (not execution.ended and execution.cause is None)

    def _children_of(self, execution: Execution) -> Iterator[ExecutionId]:
        if execution.workflow is not None:
            for child_id in execution.workflow.children:
                child = self._engine.execution(child_id)
                if child is not None and child.workflow is not None and not child.workflow.is_abandoned:
                    yield from self._open_child(child_id, child)
            return
        for known in execution.children.values():
            if known.goes_with_parent:
                if known.outcome is None:
                    yield from self._open_child(known.child_id, self._engine.execution(known.child_id))
                elif self._hard and self._engine.holds(known.child_id):
                    yield known.child_id

    def _open_child(self, child_id: ExecutionId, child: Execution | None) -> Iterator[ExecutionId]:
        if child is None or self._is_reached(child):
            yield child_id

    def _add_work(self, execution: Execution) -> None:
        for task in execution.tasks.values():
            if task.outcome is None and task.options.parent_close is ParentClosePolicy.CANCEL:
                self._add_task(task)
            elif self._hard:
                self._attempts += sum(attempt.live and attempt.stop is not None for attempt in task.attempts or ())

    def _add_task(self, task: Task) -> None:
        self._tasks += 1
        self._attempts += sum(attempt.live for attempt in task.attempts or ())
