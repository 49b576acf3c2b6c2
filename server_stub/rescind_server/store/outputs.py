"""The last of what the programs of tasks wrote: kept in blocks, the oldest of which goes when there is too much.

Each block knows how far each output, and all output of the execution together, had come at its end. So it is known how
much came before it, whether that is kept or not, and who goes on reading somewhere needs the blocks behind it alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, get_args

import msgspec

from rescind.model.ids import ExecutionId, TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.output import OutputPiece, StreamName, event_of

KEPT_OUTPUT: Final = 1024 * 1024
"""How many bytes of each task's output are kept, at the least, of those that were streamed."""

MOST_TOLD: Final = 16 * 1024 * 1024
"""About how many bytes of an execution's output are told at once: it may have many tasks, and many may ask."""

_BLOCK: Final = 32 * 1024
# What a piece takes besides its bytes: without it, a program could fill the memory with pieces of one byte.
_PER_PIECE: Final = 32
_STREAMS: Final = get_args(StreamName)


class AttemptOutput(msgspec.Struct, array_like=True):
    """How much of the output of one attempt has come.

    Attributes:
        lease: which attempt; 0 if it is not known.
        sizes: how many bytes of each of its outputs.
    """

    lease: int = 0
    sizes: dict[StreamName, int] = {}

    def copy(self) -> AttemptOutput:
        """The same, at this moment."""
        return AttemptOutput(self.lease, dict(self.sizes))


class Placed(msgspec.Struct, frozen=True):
    """A piece, and its place.

    Attributes:
        at: how many bytes the programs of its execution had written before, all together.
        piece: the piece.
    """

    at: int
    piece: OutputPiece


class Written(msgspec.Struct):
    """What a task wrote.

    Attributes:
        pieces: in order.
        attempt: how far its attempt has come with them.
    """

    pieces: Sequence[Placed]
    attempt: AttemptOutput = msgspec.field(default_factory=AttemptOutput)


Outputs = Mapping[tuple[ExecutionId, TaskId], Written]
"""What tasks wrote."""


class Kept(msgspec.Struct, array_like=True):
    """Bytes of one output that follow each other, and how many behind them are left out; `at` as in `Placed`."""

    stream: StreamName
    data: bytes
    left_out: int
    at: int

    @property
    def size(self) -> int:
        """How many bytes it tells of."""
        return len(self.data) + self.left_out

    def behind(self, place: int) -> OutputPiece | None:
        """What of it came behind a place, counted as `at`; None if nothing did."""
        seen = place - self.at
        if seen >= self.size:
            return None
        piece = OutputPiece.of(self.stream, self.data, self.left_out)
        return piece if seen <= 0 else piece.behind(seen)


class Block(msgspec.Struct, array_like=True):
    """Some of what a task wrote.

    Attributes:
        kept: what it wrote, in order.
        ends: how many bytes the task had written to each output, at the end of this.
        until: how many all programs of the execution had written then.
        attempt: how far the attempt had come then.
    """

    kept: list[Kept]
    ends: dict[StreamName, int]
    until: int
    attempt: AttemptOutput

    @classmethod
    def first(cls) -> Block:
        """The one that a task begins with."""
        return cls([], {}, 0, AttemptOutput())

    def next(self) -> Block:
        """The one behind this, with nothing in it yet."""
        return Block([], dict(self.ends), self.until, self.attempt.copy())

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        return sum(len(each.data) + _PER_PIECE for each in self.kept)

    def add(self, stream: StreamName, data: bytes, left_out: int, at: int) -> None:
        """Add what came next."""
        size = len(data) + left_out
        last = self.kept[-1] if self.kept else None
        if last is not None and last.stream == stream and not (last.left_out and data) and last.at + last.size == at:
            last.data += data
            last.left_out += left_out
        else:
            self.kept.append(Kept(stream, data, left_out, at))
        self.ends[stream] = self.ends.get(stream, 0) + size
        self.until = max(self.until, at + size)

    def before(self) -> Iterator[OutputPiece]:
        """How much of each output came before this."""
        for stream in _STREAMS:
            own = sum(each.size for each in self.kept if each.stream == stream)
            if gone := self.ends.get(stream, 0) - own:
                yield OutputPiece(stream, "", gone)

    def pieces(self, behind: int) -> Iterator[OutputPiece]:
        """What came behind a place, counted as in `Placed`."""
        for each in self.kept:
            piece = each.behind(behind)
            if piece is not None:
                yield piece


_block = msgspec.msgpack.Decoder(Block).decode
_encode_block = msgspec.msgpack.Encoder().encode


class Tail:
    """The last of what one task wrote, in memory.

    Attributes:
        size: how many bytes it takes.
    """

    def __init__(self) -> None:
        self.size = 0
        self._blocks = [Block.first()]

    def add(self, written: Written, most: int = KEPT_OUTPUT) -> None:
        """Keep this, too, and not much more than `most` bytes in all."""
        self._blocks[-1:] = _filled(self._blocks[-1], written)
        sizes = [block.size for block in self._blocks]
        gone = _too_many(sizes, most)
        del self._blocks[:gone]
        self.size = sum(sizes[gone:])

    def let_go(self) -> None:
        """Keep nothing, but for how much it was."""
        self._blocks, self.size = [self._blocks[-1].next()], 0

    @property
    def until(self) -> int:
        """How many bytes all programs of the execution had written when this task wrote last."""
        return self._blocks[-1].until

    @property
    def attempt(self) -> AttemptOutput:
        """How far its attempt has come."""
        return self._blocks[-1].attempt.copy()

    def pieces(self, behind: int = 0) -> Iterator[OutputPiece]:
        """What is kept of what came behind a place. From the beginning, first how much is not kept."""
        return _told(self._blocks, behind)


def keep_outputs(connection: sqlite3.Connection, outputs: Outputs) -> None:
    """Write what tasks wrote into the file, and remove what is too old; inside a transaction."""
    for (execution_id, task_id), written in outputs.items():
        ordinal = _ordinal(connection, execution_id)
        if ordinal is not None:
            _keep(connection, (ordinal, task_id), written)


def kept_output(
    connection: sqlite3.Connection, execution_id: ExecutionId, behind: int = 0, most: int = MOST_TOLD
) -> list[StreamedEvent]:
    """What of an execution's output is in the file: that of one task after that of another.

    Args:
        connection: to the file.
        execution_id: whose.
        behind: how many of the bytes that its programs wrote, in the order in which they came, are not asked for.
        most: about how many bytes to read at most. Of an execution with more, each task's end is read.
    """
    ordinal = _ordinal(connection, execution_id)
    if ordinal is None:
        return []
    found: dict[TaskId, list[tuple[int, int]]] = {}
    # An execution that streamed nothing behind that place has no such block; one that lies before it is not read.
    query = "select task_id, number, size from outputs where execution = ? and until >= ? order by task_id, number"
    for task_id, number, size in connection.execute(query, (ordinal, behind + 1 if behind else 0)):
        found.setdefault(TaskId(task_id), []).append((number, size))
    is_too_much = sum(size for blocks in found.values() for _, size in blocks) > most
    events: list[StreamedEvent] = []
    for task_id, blocks in found.items():
        gone = _too_many([size for _, size in blocks], most // len(found)) if is_too_much else 0
        read = (_read(connection, (ordinal, task_id), number) for number, _ in blocks[gone:])
        events += (event_of(task_id, piece) for piece in _told(read, behind))
    return events


def output_size(connection: sqlite3.Connection, execution_id: ExecutionId) -> int:
    """How many bytes the programs of an execution have written, as far as that is in the file."""
    found = connection.execute(
        "select max(until) from outputs where execution = (select ordinal from executions where execution_id = ?)",
        (execution_id,),
    ).fetchone()
    return int(found[0] or 0)


def attempt_output(connection: sqlite3.Connection, execution_id: ExecutionId, task_id: TaskId) -> AttemptOutput:
    """How far the attempt has come that wrote last of a task."""
    ordinal = _ordinal(connection, execution_id)
    found = connection.execute(
        "select block from outputs where execution = ? and task_id = ? order by number desc limit 1",
        (ordinal, task_id),
    ).fetchone()
    return AttemptOutput() if found is None else _block(found[0]).attempt


def _ordinal(connection: sqlite3.Connection, execution_id: ExecutionId) -> int | None:
    found = connection.execute("select ordinal from executions where execution_id = ?", (execution_id,)).fetchone()
    return None if found is None else int(found[0])


def _told(blocks: Iterator[Block] | Sequence[Block], behind: int) -> Iterator[OutputPiece]:
    """What blocks that follow each other tell of what came behind a place."""
    is_first = not behind
    for block in blocks:
        if is_first:
            yield from block.before()
            is_first = False
        yield from block.pieces(behind)


def _keep(connection: sqlite3.Connection, key: tuple[int, TaskId], written: Written) -> None:
    sizes = dict(
        connection.execute("select number, size from outputs where execution = ? and task_id = ? order by number", key)
    )
    number = max(sizes, default=1)
    last = _read(connection, key, number) if number in sizes else Block.first()
    changed = dict(enumerate(_filled(last, written), number))
    sizes.update((each, block.size) for each, block in changed.items())
    gone = list(sizes)[: _too_many(list(sizes.values()), KEPT_OUTPUT)]
    if gone:
        connection.execute("delete from outputs where execution = ? and task_id = ? and number <= ?", (*key, gone[-1]))
    connection.executemany(
        "insert or replace into outputs (execution, task_id, number, size, until, block) values (?, ?, ?, ?, ?, ?)",
        (
            (*key, each, block.size, block.until, _encode_block(block))
            for each, block in changed.items()
            if each not in gone
        ),
    )


def _read(connection: sqlite3.Connection, key: tuple[int, TaskId], number: int) -> Block:
    (block,) = connection.execute(
        "select block from outputs where execution = ? and task_id = ? and number = ?", (*key, number)
    ).fetchone()
    return _block(block)


def _filled(last: Block, written: Written) -> list[Block]:
    """The blocks that take what was written: the last one there is, and new ones behind it."""
    blocks, room = [last], _BLOCK - last.size
    for placed in written.pieces:
        piece, at, data = placed.piece, placed.at, placed.piece.data
        while True:
            if room <= 0:
                blocks.append(blocks[-1].next())
                room = _BLOCK
            part, data = data[:room], data[room:]
            blocks[-1].add(piece.stream, part, 0 if data else piece.left_out, at)
            at += len(part)
            room -= len(part) + _PER_PIECE
            if not data:
                break
    blocks[-1].attempt = written.attempt.copy()
    return blocks


def _too_many(sizes: Sequence[int], most: int) -> int:
    """How many of the oldest blocks may go: the others hold so much, or are the last."""
    total = sum(sizes)
    for number, size in enumerate(sizes[:-1]):
        total -= size
        if total < most:
            return number
    return max(0, len(sizes) - 1)
