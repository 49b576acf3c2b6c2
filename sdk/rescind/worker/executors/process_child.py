"""The program in a function's own process: takes calls from its worker, one after the other, and runs them.

A cancel is SIGTERM: it becomes asyncio.CancelledError where the function stands, so that its ``finally`` runs.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import runpy
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial, reduce
from pathlib import Path
from queue import SimpleQueue
from types import FrameType, ModuleType
from typing import Any, Final

from rescind.authoring.task import TaskDefinition
from rescind.errors import InvalidInput, NonRetryable
from rescind.model.cause import CancelCause
from rescind.model.messages import StreamedEvent
from rescind.model.trace_parent import VARIABLE
from rescind.runtime.failures import failure_of, rejection_of
from rescind.runtime.task_context import TaskContext, take_hooks, tell_cancelled
from rescind.telemetry.at_work import AtWork
from rescind.telemetry.traces import enter_attempt
from rescind.worker.executors.process_messages import (
    CHANNEL,
    Call,
    Cancel,
    FolderMade,
    FolderWanted,
    Frames,
    FromProcess,
    Raised,
    Reported,
    Returned,
    Stopped,
    decode_to_process,
    frame,
)

_MAIN: Final = "__rescind_main__"
_CAUSE_FOLLOWS_WITHIN: Final = 5.0


class FunctionNotFound(NonRetryable):
    """A function's own process does not find the function where its worker has it."""


class Channel:
    """The process's end of the socket. Its messages are taken by a thread, so they come while the function runs."""

    def __init__(self) -> None:
        self._socket = socket.socket(fileno=CHANNEL)
        self._socket.set_inheritable(False)
        self._sending = threading.Lock()
        self._folders: SimpleQueue[str] = SimpleQueue()
        self._cancelled = threading.Event()
        self._cause: CancelCause | None = None
        self._context: TaskContext | None = None
        self._is_guarded = False
        self._is_deferred = False
        self.calls: SimpleQueue[Call | None] = SimpleQueue()
        threading.Thread(target=self._receive, name="rescind-channel", daemon=True).start()

    def send(self, message: FromProcess) -> None:
        """Send a message. If the worker is gone, this process is about to be killed."""
        data = frame(message)
        is_main = threading.current_thread() is threading.main_thread()
        try:
            self._is_guarded = self._is_guarded or is_main
            with self._sending:
                self._socket.sendall(data)
        except OSError:
            os._exit(1)
        finally:
            if is_main:
                self._is_guarded = False
                self._raise_deferred()

    def make_folder(self) -> Path:
        """See `TaskPort.make_folder`."""
        self.send(FolderWanted())
        return Path(self._folders.get())

    def report(
        self,
        *,
        progress: float | None = None,
        message: str | None = None,
        advanced: bool = False,
        streamed: StreamedEvent | None = None,
    ) -> None:
        """See `TaskPort.report`."""
        self.send(Reported(progress, message, advanced, streamed))

    def serve(self, context: TaskContext) -> None:
        """From now on, a cancel is meant for this context."""
        self._context = context
        signal.signal(signal.SIGTERM, self._interrupt)

    def rest(self) -> None:
        """From now on, nothing is running that SIGTERM could interrupt."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN if self._cancelled.is_set() else signal.SIG_DFL)

    @property
    def is_cancelled(self) -> bool:
        """Whether this process was told to stop."""
        return self._cancelled.is_set()

    def _interrupt(self, number: int, frame_: FrameType | None) -> None:
        if self._is_guarded:
            self._is_deferred = True  # half a message would be the last that the worker understands
            return
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not self._cancelled.wait(_CAUSE_FOLLOWS_WITHIN):
            # Not from the worker: end as any program would.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
        raise asyncio.CancelledError(str(self._cause))

    def _raise_deferred(self) -> None:
        if self._is_deferred:
            self._is_deferred = False
            self._interrupt(signal.SIGTERM, None)

    def _receive(self) -> None:
        frames = Frames()
        while data := self._socket.recv(1 << 20):
            for message in map(decode_to_process, frames.feed(data)):
                match message:
                    case Call():
                        self.calls.put(message)
                    case FolderMade():
                        self._folders.put(message.path)
                    case Cancel():
                        self._cause = message.cause
                        if self._context is not None:
                            tell_cancelled(self._context, message.cause)
                        self._cancelled.set()
        self.calls.put(None)


def main() -> None:
    """Run one call after the other, until the worker closes the socket or tells one of them to stop."""
    channel = Channel()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while (call := channel.calls.get()) is not None:
        try:
            answer = _answer_to(call, channel)
        except asyncio.CancelledError:  # it came while the answer was being made
            answer = Stopped()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        channel.send(answer)
        if channel.is_cancelled:
            return


def _answer_to(call: Call, channel: Channel) -> FromProcess:
    context = TaskContext(
        channel,
        task_id=call.task_id,
        execution_id=call.execution_id,
        kind=call.kind,
        attempt=call.attempt,
        labels=call.labels,
    )
    _reap_what_others_left()
    try:
        channel.serve(context)
        return _run(call, context)
    except asyncio.CancelledError as error:
        return Stopped() if channel.is_cancelled else Raised(failure_of(error))
    except InvalidInput as error:
        return Raised(rejection_of(error))
    except (Exception, SystemExit) as error:  # the task's own code: whatever it raises is its outcome
        return Raised(failure_of(error))
    finally:
        channel.rest()
        if channel.is_cancelled:
            _clean_up(context)


def _reap_what_others_left() -> None:
    """Processes that earlier functions began and did not wait for; they have been killed."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _run(call: Call, context: TaskContext) -> FromProcess:
    definition = _find(call)
    arguments: tuple[Any, ...] = (definition.decode_input(call.input),) if definition.takes_input else ()
    # In a context of its own: the next call of this process belongs to something else.
    result = copy_context().run(_call, call, partial(definition.run, context, *arguments))
    return Returned(definition.encode_output(result, limit=call.payload_limit))


def _call(call: Call, function: Callable[[], Any]) -> Any:
    """Run the function as what it is: an attempt, inside that one's span."""
    enter_attempt(AtWork(call.execution_id, "", call.task_id, call.attempt, trace_parent=call.trace_parent))
    if call.trace_parent is not None:
        os.environ[VARIABLE] = call.trace_parent
    else:
        os.environ.pop(VARIABLE, None)
    return function()


def _clean_up(context: TaskContext) -> None:
    """Run the clean-ups, in order, each once. If they outlive the grace, this process is killed."""
    for hook in take_hooks(context, lambda late: None):
        try:
            waits = hook()
            if inspect.isawaitable(waits):
                asyncio.run(_awaited(waits))
        except Exception as error:  # the author's code: the other clean-ups run nevertheless
            print(f"a clean-up of task {context.task_id} raised {type(error).__name__}: {error}", file=sys.stderr)


async def _awaited(waits: Any) -> None:
    await waits


def _find(call: Call) -> TaskDefinition[Any, Any]:
    """The definition behind a module's name and a qualified name in it."""
    sys.path[:] = [*call.search_path, *(path for path in sys.path if path not in call.search_path)]
    try:
        module = _main_module(call) if call.module == "__main__" else importlib.import_module(call.module)
        found = reduce(getattr, call.name.split("."), module)
    except (ImportError, AttributeError) as error:
        raise FunctionNotFound(f"the process of task {call.kind!r} cannot find its function: {error}") from error
    if isinstance(found, TaskDefinition):
        return found
    function: Any = found
    return TaskDefinition(call.kind, function)


def _main_module(call: Call) -> ModuleType:
    """The program that the worker was started as, without what it does under ``if __name__ == "__main__"``."""
    if _MAIN not in sys.modules:
        module = ModuleType(_MAIN)
        # Before it runs, as for any import: what is defined in it looks itself up there.
        sys.modules[_MAIN] = module
        if call.main_name is not None:
            names = runpy.run_module(call.main_name, run_name=_MAIN, alter_sys=True)
        elif call.main_path is not None:
            names = runpy.run_path(call.main_path, run_name=_MAIN)
        else:
            raise ImportError("the worker's program is no file")
        module.__dict__.update(names)
        sys.modules[_MAIN] = module
    return sys.modules[_MAIN]


if __name__ == "__main__":
    main()
