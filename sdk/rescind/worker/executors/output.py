"""What a process writes: streamed as it comes, its end kept in memory, the whole of it in a file if it is long.

It is read as fast as it comes, and so slowly that the event loop has time for all else: one piece per turn. What is
streamed is bounded: a process that writes more than a person can follow is shown in part, and those who watch are told
how much was left out.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from rescind.authoring.shell import STREAMED_PER_SECOND
from rescind.model.output import OutputPiece, StreamName

_LOG: Final = logging.getLogger("rescind.worker")
KEPT_BYTES: Final = 64 * 1024
"""How much of the end of an output is kept in memory and handed on with the result."""

_PIECE: Final = 256 * 1024
_PIECES_IN_A_PIPE: Final = 4
_MOST_STREAMED_AT_ONCE: Final = 32 * 1024
_STREAMED_AHEAD: Final = 1024 * 1024
_BETWEEN_EVENTS: Final = 0.05
# A line that does not end, such as a question to a person, is shown when nothing has come for so long.
_UNFINISHED_AFTER: Final = 0.2
_SPILLED_MOST: Final = 256 * 1024 * 1024

Emit = Callable[[OutputPiece], None]
"""Takes a piece that is to be streamed. As far as they were written so, its characters are whole."""


class OutputFile:
    """Where an output goes that is too long for memory. A full disk costs the rest of it, and not the work."""

    def __init__(self, path: Callable[[], Path], most: int = _SPILLED_MOST) -> None:
        """Open nothing yet; `path` is asked when something is written. `most` is in bytes."""
        self._path = path
        self._most = most
        self._file: BinaryIO | None = None
        self._is_over = False

    def write(self, data: bytes) -> None:
        """Append, as long as there is room."""
        if self._is_over:
            return
        try:
            if self._file is None:
                self._file = self._path().open("ab", buffering=0)
            room = self._most - self._file.tell()
            self._file.write(data[:room])
            self._is_over = len(data) >= room
        except OSError as error:
            _LOG.warning("the rest of an output is not written to its file: %s", error)
            self._is_over = True

    def close(self) -> None:
        """Close the file."""
        self._is_over = True
        if self._file is not None:
            self._file.close()


class Allowance:
    """How much may be streamed: a rate, and some of it ahead."""

    def __init__(self, clock: Callable[[], float], per_second: int = STREAMED_PER_SECOND) -> None:
        """All of what may be streamed ahead is there at the beginning; in bytes."""
        self._clock = clock
        self._per_second = per_second
        self._ahead = max(_STREAMED_AHEAD, per_second)
        self._left: float = self._ahead
        self._since = clock()

    def left(self) -> int:
        """How many bytes may be streamed now."""
        now = self._clock()
        self._left = min(self._ahead, self._left + (now - self._since) * self._per_second)
        self._since = now
        return int(self._left)

    def take(self, size: int) -> None:
        """So many bytes are streamed."""
        self._left -= size


class Output:
    """One of the streams of a process: ``stdout`` or ``stderr``.

    Attributes:
        size: how many bytes came in all.
    """

    def __init__(self, name: StreamName, emit: Emit, allowance: Allowance, file: OutputFile) -> None:
        self.size = 0
        self._name = name
        self._emit = emit
        self._allowance = allowance
        self._file = file
        self._end = bytearray()
        self._pending = bytearray()
        self._left_out = 0

    def feed(self, data: bytes) -> None:
        """Take what was written."""
        if self.size + len(data) > KEPT_BYTES:
            if self.size <= KEPT_BYTES:
                self._file.write(bytes(self._end))
            self._file.write(data)
        self.size += len(data)
        self._end += data
        del self._end[:-KEPT_BYTES]
        self._show(data)

    def flush(self, *, unfinished: bool, final: bool = False) -> None:
        """Stream what is pending: whole lines, or with `unfinished` also the beginning of the next one.

        The beginning of a character stays, unless the rest of it is left out, or with `final` does not come.
        """
        if unfinished or self._left_out or len(self._pending) > _MOST_STREAMED_AT_ONCE:
            size = len(self._pending)
        else:
            size = self._pending.rfind(b"\n") + 1
        is_followed = size < len(self._pending) or not (self._left_out or final)
        if is_followed:
            size = _whole_characters(self._pending[:size])
        data = bytes(self._pending[:size])
        del self._pending[:size]
        while len(data) > _MOST_STREAMED_AT_ONCE:
            whole = _whole_characters(data[:_MOST_STREAMED_AT_ONCE])
            self._emit(OutputPiece.of(self._name, data[:whole]))
            data = data[whole:]
        if data or self._left_out:
            self._emit(OutputPiece.of(self._name, data, self._left_out))
            self._left_out = 0

    def _show(self, data: bytes) -> None:
        """Keep for streaming what may be streamed; what is left out begins and ends with lines, where it can."""
        room = max(0, self._allowance.left())
        if self._left_out:
            line = data.find(b"\n") + 1
            if room < _MOST_STREAMED_AT_ONCE or not line:
                self._left_out += len(data)
                return
            self._left_out += line
            self.flush(unfinished=True)
            data = data[line:]
        if len(data) > room:
            room = data.rfind(b"\n", 0, room) + 1 or room
            self._left_out += len(data) - room
            data = data[:room]
        self._allowance.take(len(data))
        self._pending += data

    def finish(self) -> None:
        """Nothing more comes: stream what is left."""
        self.flush(unfinished=True, final=True)
        self._file.close()

    @property
    def is_pending(self) -> bool:
        """Whether something waits to be streamed."""
        return bool(self._pending)

    def end(self) -> str:
        """The last KEPT_BYTES of it; what is no UTF-8 is replaced."""
        data = bytes(self._end)
        if self.size > len(data):
            # Begin with a whole character: those in between look like 10xxxxxx.
            begin = next((place for place in range(min(4, len(data))) if data[place] & 0xC0 != 0x80), 0)
            data = data[begin:]
        return data.decode("utf-8", "replace")


def _whole_characters(data: bytes | bytearray) -> int:
    """How many of these bytes come before a character that is cut off at their end."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            size = 2 if 0xC2 <= byte < 0xE0 else 3 if 0xE0 <= byte < 0xF0 else 4 if 0xF0 <= byte < 0xF5 else 1
            return len(data) - back if size > back else len(data)
    return len(data)


class OutputReader:
    """Reads the streams of one process.

    Attributes:
        clock: seconds, of the event loop.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.clock = self._loop.time
        self._outputs: dict[int, Output] = {}
        self._flushing: asyncio.TimerHandle | None = None
        self._unfinished: asyncio.TimerHandle | None = None
        self._fed: list[Output] = []
        self._last_event = 0.0

    def open(self, output: Output) -> int:
        """Make a pipe for a stream; returns the end to write to, which the caller closes."""
        reading, writing = os.pipe()
        with suppress(OSError, AttributeError):  # a larger one saves turns; it is not always to be had
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIECE)
        os.set_blocking(reading, False)
        self._outputs[reading] = output
        self._loop.add_reader(reading, self._read, reading)
        return writing

    def feed(self, output: Output, data: bytes) -> None:
        """Take what comes by another way than a pipe."""
        if output not in self._fed:
            self._fed.append(output)
        output.feed(data)
        self._flush_soon()

    def pause(self) -> None:
        """Read nothing until `resume`."""
        for reading in self._outputs:
            self._loop.remove_reader(reading)

    def resume(self) -> None:
        """Read again."""
        for reading in self._outputs:
            self._loop.add_reader(reading, self._read, reading)

    def drain(self) -> None:
        """Take what is in the pipes now, and stream it."""
        for reading in list(self._outputs):
            # No more: somebody else who was handed the pipe might write to it for ever.
            for _ in range(_PIECES_IN_A_PIPE):
                if reading in self._outputs:
                    self._read(reading)
        self._flush_unfinished()

    def finish(self) -> None:
        """The process is gone: take what is still in the pipes, and close them."""
        self.drain()
        for reading in list(self._outputs):
            self._end(reading)
        while self._fed:
            self._fed.pop().finish()
        for timer in (self._flushing, self._unfinished):
            if timer is not None:
                timer.cancel()

    def _read(self, reading: int) -> None:
        try:
            data = os.read(reading, _PIECE)
        except BlockingIOError:
            return
        if data:
            self._outputs[reading].feed(data)
            self._flush_soon()
        else:
            self._end(reading)

    def _end(self, reading: int) -> None:
        self._loop.remove_reader(reading)
        os.close(reading)
        self._outputs.pop(reading).finish()

    def _flush_soon(self) -> None:
        if self._unfinished is not None:
            self._unfinished.cancel()
            self._unfinished = None
        if self._flushing is None:
            wait = max(0.0, self._last_event + _BETWEEN_EVENTS - self._loop.time())
            self._flushing = self._loop.call_later(wait, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        self._last_event = self._loop.time()
        outputs = [*self._outputs.values(), *self._fed]
        for output in outputs:
            output.flush(unfinished=False)
        if any(output.is_pending for output in outputs):
            self._unfinished = self._loop.call_later(_UNFINISHED_AFTER, self._flush_unfinished)

    def _flush_unfinished(self) -> None:
        for output in (*self._outputs.values(), *self._fed):
            output.flush(unfinished=True)
