"""What every executor promises."""

from __future__ import annotations

from typing import Any, Protocol

from rescind.authoring.task import TaskDefinition
from rescind.runtime.task_context import TaskContext


class Executor(Protocol):
    """Runs the code of attempts.

    Attributes:
        hooks_end_it: whether the code can only be stopped through its `on_cancel` hooks, so that they must run when the
            order comes, and not when the code has ended.
    """

    hooks_end_it: bool

    async def run(self, definition: TaskDefinition[Any, Any], context: TaskContext, task_input: Any) -> Any:
        """Run the code to its end; returns its result, raises what it raised.

        Cancelling this call asks the code to stop. It returns or raises when the code has really ended, not before,
        unless its worker is lost.
        """

    def close(self) -> None:
        """The worker has ended: nothing is run any more."""
