"""The processes that run functions: each runs one call at a time, and waits warm for the next."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Final, get_args

import msgspec

from rescind.model.agent_values import StreamEvent
from rescind.model.output import OUTPUT, OutputPiece, StreamName
from rescind.runtime.task_context import TaskContext
from rescind.worker.executors.output import Allowance, Output, OutputFile, OutputReader
from rescind.worker.executors.process_messages import (
    Call,
    FolderMade,
    FolderWanted,
    Frames,
    FromProcess,
    Raised,
    Reported,
    Returned,
    Stopped,
    ToProcess,
    decode_from_process,
    frame,
)
from rescind.worker.executors.supervision import ForkServer

_MOST_CALLS: Final = 1_000
"""A process is replaced after so many, since functions of others leave memory and files behind."""

_ARGUMENTS: Final = ("-u", "-m", "rescind.worker.executors.process_child")
# Where this very package is, also if it was found by a path that the process does not know.
_PACKAGE: Final = str(Path(__file__).parents[3])

Answer = Returned | Raised | Stopped


class FunctionProcess:
    """One process for functions.

    Attributes:
        supervised: the process with all that descends from it.
    """

    def __init__(self, server: ForkServer) -> None:
        """Begin it; it imports what it needs while its first call is on its way."""
        self._loop = asyncio.get_running_loop()
        self._channel, remote = socket.socketpair()
        self._channel.setblocking(False)
        self._unsent = bytearray()
        self._frames = Frames()
        self._context: TaskContext | None = None
        self._answer: asyncio.Future[Answer | None] | None = None
        self._reader = OutputReader()
        self._calls = 0
        allowance = Allowance(self._reader.clock)
        outputs = [Output(name, self._emit, allowance, OutputFile(Path, most=0)) for name in get_args(StreamName)]
        with remote:
            self.supervised = server.begin(
                [sys.executable, *_ARGUMENTS],
                attempt="pool",
                files=[
                    os.open(os.devnull, os.O_RDONLY),
                    *(self._reader.open(output) for output in outputs),
                    os.dup(remote.fileno()),
                ],
                environment={**os.environ, "PYTHONPATH": os.pathsep.join(_search_path())},
            )
        self._loop.add_reader(self._channel, self._receive)
        self.supervised.on_gone(self._end)

    @property
    def is_fit(self) -> bool:
        """Whether it can take another call."""
        return not self.supervised.is_gone and self._calls < _MOST_CALLS

    def pause(self) -> None:
        """It has nothing to do, and nothing is heard of it until `resume`."""
        self.supervised.pause()
        self._reader.pause()
        self._loop.remove_reader(self._channel)

    def resume(self) -> bool:
        """It gets something to do; returns whether it still runs."""
        if not self.supervised.resume():
            return False
        self._reader.resume()
        self._loop.add_reader(self._channel, self._receive)
        return True

    def call(self, call: Call, context: TaskContext) -> asyncio.Future[Answer | None]:
        """Have it run a function; the future gets its answer, or None if it ends without one."""
        self._calls += 1
        self._context = context
        self._answer = self._loop.create_future()
        self.send(call)
        return self._answer

    def send(self, message: ToProcess) -> None:
        """Send it a message."""
        if self._channel.fileno() >= 0:
            self._unsent += frame(message)
            self._flush()

    async def rest(self) -> None:
        """The call is over: show the rest of what it wrote, kill what it left behind, and hear no more of it."""
        await self.supervised.clear()
        self._reader.drain()
        self._context = None

    def close(self) -> None:
        """Kill it, with all that descends from it."""
        self._reader.finish()
        self._context = None
        if self._channel.fileno() >= 0:
            self._loop.remove_reader(self._channel)
            self._loop.remove_writer(self._channel)
            self._channel.close()
        self.supervised.close()

    def _emit(self, piece: OutputPiece) -> None:
        if self._context is not None:
            self._context.stream(StreamEvent(OUTPUT, msgspec.to_builtins(piece)))

    def _flush(self) -> None:
        try:
            del self._unsent[: self._channel.send(self._unsent) if self._unsent else 0]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()  # it is ending, which is noticed elsewhere
        if self._unsent:
            self._loop.add_writer(self._channel, self._flush)
        else:
            self._loop.remove_writer(self._channel)

    def _receive(self) -> None:
        try:
            data = self._channel.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._channel)
        for message in map(decode_from_process, self._frames.feed(data)):
            self._take(message)

    def _take(self, message: FromProcess) -> None:
        context = self._context
        match message:
            case Reported() if context is not None:
                context._port.report(
                    progress=message.progress,
                    message=message.message,
                    advanced=message.advanced,
                    streamed=message.streamed,
                )
            case FolderWanted() if context is not None:
                self.send(FolderMade(str(context.folder)))
            case Returned() | Raised() | Stopped() if self._answer is not None and not self._answer.done():
                self._answer.set_result(message)

    def _end(self) -> None:
        """Nothing of it is left: what it said last is still to be read."""
        while self._channel.fileno() >= 0:
            try:
                data = self._channel.recv(1 << 20)
            except OSError:
                break
            if not data:
                break
            for message in map(decode_from_process, self._frames.feed(data)):
                self._take(message)
        self._reader.drain()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)


class ProcessPool:
    """Processes that wait for calls: as many as there are processors, at most."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self._idle: list[FunctionProcess] = []
        self._most_idle = os.cpu_count() or 1

    def warm(self) -> None:
        """Have one ready."""
        if not self._idle:
            self._set_aside(FunctionProcess(self._server))

    def take(self) -> FunctionProcess:
        """One that waits, or a new one."""
        while self._idle:
            process = self._idle.pop()
            if process.resume():
                return process
            process.close()
        return FunctionProcess(self._server)

    def give_back(self, process: FunctionProcess) -> None:
        """It may wait for another call, or ends if there are enough of them."""
        if process.is_fit and len(self._idle) < self._most_idle:
            self._set_aside(process)
        else:
            process.close()

    def _set_aside(self, process: FunctionProcess) -> None:
        process.pause()
        self._idle.append(process)

    def close(self) -> None:
        """End all that wait."""
        while self._idle:
            self._idle.pop().close()


def _search_path() -> list[str]:
    return [_PACKAGE, *filter(None, [os.environ.get("PYTHONPATH")])]
