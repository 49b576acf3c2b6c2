"""A context for the unit test of a task: ``quote.run(MockTaskContext(), request)``."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import shutil
import tempfile
import weakref
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

from rescind.authoring.conversion import decode
from rescind.model.agent_values import StreamEvent
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import task_id_from_key
from rescind.model.messages import StreamedEvent
from rescind.runtime.task_context import CancelHook, LogLevel, TaskContext, take_hooks, tell_cancelled

_LOG: Final = logging.getLogger("rescind.testing")
_numbers: Final = itertools.count(1)


class ProgressReport(NamedTuple):
    """How far the work was, between 0 and 1, and words about it."""

    progress: float
    message: str | None


class LogMessage(NamedTuple):
    """A line of the task's log."""

    level: LogLevel
    message: str


class MockTaskContext(TaskContext):
    """The real context of a task, without a worker: it keeps what the task reports, and can be cancelled.

    It serves ``async def`` and plain functions: ``await quote.run(ctx, request)``, ``quote.run(ctx, request)``. It does
    not interrupt the code: where a worker would throw CancelledError at an await, cancel the asyncio task yourself.

    Attributes:
        attempt: which attempt this is; may be set.
        progress_reports: what `report_progress` said, in order.
        log_messages: what `log` said, in order.
        stream_events: what the `stream` methods said, in order; no reports and no log.
        heartbeats: how often `heartbeat` was called.
    """

    def __init__(
        self,
        *,
        task_id: UUID | str | None = None,
        execution_id: str = "mock-agent",
        kind: str = "mock-task",
        attempt: int = 1,
        labels: Mapping[str, str] | None = None,
        cancelled: bool = False,
    ) -> None:
        """Make one.

        Args:
            task_id: the task's id; one is made up if left out.
            execution_id: the agent that scheduled it.
            kind: its kind.
            attempt: which attempt this is, from 1.
            labels: those given when it was scheduled.
            cancelled: whether its work is to stop from the beginning.
        """
        chosen = UUID(str(task_id)) if task_id is not None else task_id_from_key(f"mock-task-{next(_numbers)}")
        super().__init__(
            self, task_id=str(chosen), execution_id=execution_id, kind=kind, attempt=attempt, labels=labels
        )
        self._cleaning: list[asyncio.Task[None]] = []
        self.clear_recordings()
        if cancelled:
            self.cancel()

    def clear_recordings(self) -> None:
        """Forget what was reported so far."""
        self.progress_reports: list[ProgressReport] = []
        self.log_messages: list[LogMessage] = []
        self.stream_events: list[StreamEvent] = []
        self.heartbeats = 0

    def set_attempt(self, attempt: int) -> None:
        """From now on, this is attempt number `attempt`, from 1."""
        self.attempt = attempt

    def cancel(self, reason: str | None = None, *, source: CancelSource = CancelSource.REQUEST) -> None:
        """Tell the work to stop, and run the clean-ups that were given to `on_cancel`.

        They run now, in the order in which they were given; one that is given later, when it is given. The first cause
        is kept, and a second cancel runs nothing.

        Args:
            reason: why, in words.
            source: what brings it about.
        """
        tell_cancelled(self, CancelCause(source, "client:test", reason))
        for hook in take_hooks(self, self._run_hook):
            self._run_hook(hook)

    async def cleaned_up(self) -> None:
        """Wait until the asynchronous clean-ups have ended. Without a running loop they have, when `cancel` returns."""
        await asyncio.gather(*self._cleaning)

    @property
    def last_progress(self) -> ProgressReport | None:
        """The last that `report_progress` said."""
        return self.progress_reports[-1] if self.progress_reports else None

    def log_messages_at_level(self, level: LogLevel) -> list[str]:
        """The log's messages of this level, in order."""
        return [message for logged, message in self.log_messages if logged == level]

    def was_logged(self, part: str) -> bool:
        """Whether a message of the log contains `part`."""
        return any(part in message for _, message in self.log_messages)

    @property
    def last_stream_event(self) -> StreamEvent | None:
        """The last that a `stream` method said."""
        return self.stream_events[-1] if self.stream_events else None

    def stream_events_of_type(self, kind: str) -> list[StreamEvent]:
        """The streamed events of a kind (``token``, ``progress``, ``data``, ``error``), in order."""
        return [event for event in self.stream_events if event.kind == kind]

    @property
    def token_events(self) -> list[StreamEvent]:
        """The streamed pieces of text, in order."""
        return self.stream_events_of_type("token")

    @property
    def joined_tokens(self) -> str:
        """The streamed pieces of text as one."""
        return "".join(event.value["text"] for event in self.token_events)

    def report(
        self,
        *,
        progress: float | None = None,
        message: str | None = None,
        advanced: bool = False,
        streamed: StreamedEvent | None = None,
    ) -> None:
        """See `TaskPort.report`: keeps what is reported."""
        if progress is not None:
            self.progress_reports.append(ProgressReport(progress, message))
        elif streamed is None:
            self.heartbeats += 1
        else:
            self._keep(streamed.kind, decode(streamed.value, None, what=f"streamed {streamed.kind}"))

    def make_folder(self) -> Path:
        """See `TaskPort.make_folder`: it is removed when nobody needs this context any more."""
        folder = Path(tempfile.mkdtemp(prefix="rescind-mock-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _keep(self, kind: str, value: Any) -> None:
        if kind == "log":
            self.log_messages.append(LogMessage(value["level"], value["message"]))
        else:
            self.stream_events.append(StreamEvent(kind, value))

    def _run_hook(self, hook: CancelHook) -> None:
        try:
            waits = hook()
        except Exception:  # the author's code: the other clean-ups run nevertheless
            _LOG.exception("a clean-up of task %s raised", self.task_id)
            return
        if inspect.isawaitable(waits):
            if asyncio._get_running_loop() is None:
                asyncio.run(self._see_through(waits))
            else:
                self._cleaning.append(asyncio.ensure_future(self._see_through(waits)))

    async def _see_through(self, waits: Awaitable[None]) -> None:
        try:
            await waits
        except Exception:  # as above, where it is asynchronous
            _LOG.exception("a clean-up of task %s raised", self.task_id)
