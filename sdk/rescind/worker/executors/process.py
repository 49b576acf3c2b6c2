"""Plain functions, each in a process of its own that can be killed, even in the middle of C code."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from rescind.authoring.signature import innermost
from rescind.authoring.task import TaskDefinition
from rescind.errors import RescindError
from rescind.model.cause import CancelCause
from rescind.runtime.task_context import TaskContext, is_lost
from rescind.telemetry.traces import current_trace_parent
from rescind.worker.executors.port import Encoded, FailedElsewhere, WorkKilled
from rescind.worker.executors.process_messages import Call, Cancel, Raised, Returned
from rescind.worker.executors.process_pool import Answer, FunctionProcess, ProcessPool
from rescind.worker.executors.supervision import ForkServer, Gone


class ProcessEnded(RescindError):
    """The process of a function ended before the function did: a crash, an exit, or a signal from elsewhere."""


class ProcessExecutor:
    """See `Executor`."""

    hooks_end_it = False
    ends_by_force = True

    def __init__(self, server: ForkServer, payload_limit: int) -> None:
        """Processes are begun by `server`, which is closed by who made it; results have at most so many bytes."""
        self._pool = ProcessPool(server)
        self._payload_limit = payload_limit

    async def run(self, definition: TaskDefinition[Any, Any], context: TaskContext, task_input: Any) -> Encoded:
        """See `Executor.run`.

        Raises:
            FailedElsewhere: the function raised.
            ProcessEnded: its process ended before it did.
        """
        call = self._call_of(definition, context, task_input)
        process = self._pool.take()
        try:
            answer, gone = await _carry_out(process, call, context)
        except BaseException:  # however this ends, the process is not left with half a call
            process.close()
            raise
        if gone is None:
            self._pool.give_back(process)
        else:
            process.close()
        match answer:
            case Returned():
                return Encoded(answer.output)
            case Raised():
                raise FailedElsewhere(answer.failure)
        assert gone is not None
        if gone.told:
            raise WorkKilled if gone.forced else asyncio.CancelledError
        raise ProcessEnded(_how(gone))

    def prepare(self) -> None:
        """See `Executor.prepare`."""
        self._pool.warm()

    def close(self) -> None:
        """See `Executor.close`."""
        self._pool.close()

    def _call_of(self, definition: TaskDefinition[Any, Any], context: TaskContext, task_input: Any) -> Call:
        function = innermost(definition.run)
        main = sys.modules["__main__"]
        spec = getattr(main, "__spec__", None)
        path = getattr(main, "__file__", None)
        return Call(
            module=function.__module__,
            name=function.__qualname__,
            kind=context.kind,
            task_id=str(context.task_id),
            execution_id=context.execution_id,
            attempt=context.attempt,
            labels=dict(context.labels),
            input=definition.encode_input(task_input, limit=self._payload_limit),
            payload_limit=self._payload_limit,
            search_path=tuple(path or str(Path.cwd()) for path in sys.path),
            main_name=spec.name if spec is not None else None,
            main_path=str(Path(path).absolute()) if path is not None else None,
            trace_parent=current_trace_parent(),
        )


async def _carry_out(process: FunctionProcess, call: Call, context: TaskContext) -> tuple[Answer | None, Gone | None]:
    """The answer, and how the process ended, if it did. Each cancel of this call is handed on to the process."""
    answered = process.call(call, context)
    orders = 0
    while True:
        try:
            answer = await asyncio.shield(answered)
            if answer is not None and not orders:
                await process.rest()
                return answer, None
            return answer, await process.supervised.gone()
        except asyncio.CancelledError:
            if is_lost(context):
                process.supervised.kill()
                raise
            orders += 1
            _stop(process, context.cancel_cause(), orders)


def _stop(process: FunctionProcess, cause: CancelCause | None, orders: int) -> None:
    """The first order is told with its cause; the next, or one that nobody gave, ends it by force."""
    if cause is None or orders > 1:
        process.supervised.kill()
        return
    process.send(Cancel(cause))
    process.supervised.terminate()


def _how(gone: Gone) -> str:
    how = f"was ended by {gone.signal_name}" if gone.signal_name else f"exited with code {gone.exit_code}"
    return f"its process {how} before the function ended"
