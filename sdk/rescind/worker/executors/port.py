"""What every executor promises."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple, Protocol

from rescind.authoring.task import TaskDefinition
from rescind.model.outcome import Failure
from rescind.model.payload import Payload
from rescind.runtime.task_context import TaskContext


class WorkKilled(asyncio.CancelledError):
    """The work was told to stop, did not within its grace, and was ended by force. Nothing of it is left."""


class FailedElsewhere(Exception):
    """The work failed where its worker does not run.

    Attributes:
        failure: how, as it is recorded.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Encoded(NamedTuple):
    """A result that is encoded already, and checked.

    Attributes:
        payload: the result.
    """

    payload: Payload


class Executor(Protocol):
    """Runs the code of attempts.

    Attributes:
        hooks_end_it: whether the code can only be stopped through its `on_cancel` hooks, so that they must run when the
            order comes, and not when the code has ended.
        ends_by_force: whether work that outlives its grace is killed. If not, it is told again until it ends.
    """

    hooks_end_it: bool
    ends_by_force: bool

    async def run(self, definition: TaskDefinition[Any, Any], context: TaskContext, task_input: Any) -> Any:
        """Run the code to its end; returns its result, raises what it raised.

        Cancelling this call asks the code to stop. Cancelling it again says that its grace is over: work that can be
        ended by force is, and then WorkKilled is raised. It returns or raises when the work has really ended, with all
        that descends from it, and not before, unless its worker is lost. A result may come as Encoded, a failure as
        FailedElsewhere.
        """

    def prepare(self) -> None:
        """The worker begins, and knows a task for this executor."""

    def close(self) -> None:
        """The worker has ended: nothing is run any more."""
