"""The last of what the programs of tasks wrote: kept in blocks, the oldest of which goes when there is too much.

It is told how much has gone: each block knows how much of either output came before it and is not kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, get_args

import msgspec

from rescind.model.ids import ExecutionId, TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.output import OutputPiece, StreamName, event_of

KEPT_OUTPUT: Final = 1024 * 1024
"""How many bytes of each task's output are kept, at the least, of those that were streamed."""

Outputs = Mapping[tuple[ExecutionId, TaskId], Sequence[OutputPiece]]
"""What tasks wrote, in order."""

_BLOCK: Final = 32 * 1024
# What a piece takes besides its bytes: without it, a program could fill the memory with pieces of one byte.
_PER_PIECE: Final = 32
_STREAMS: Final = get_args(StreamName)


class Kept(msgspec.Struct, array_like=True):
    """Bytes of one output that follow each other."""

    stream: StreamName
    data: bytes
    left_out: int = 0


class Block(msgspec.Struct, array_like=True):
    """Some of what a task wrote.

    Attributes:
        kept: what it wrote, in order.
        gone: how many bytes of each output came before that, and are not kept.
    """

    kept: list[Kept] = []
    gone: dict[StreamName, int] = {}

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        return sum(len(each.data) + _PER_PIECE for each in self.kept)

    def add(self, stream: StreamName, data: bytes, left_out: int) -> None:
        """Add what came next."""
        last = self.kept[-1] if self.kept else None
        if last is not None and last.stream == stream and not (last.left_out and data):
            last.data += data
            last.left_out += left_out
        else:
            self.kept.append(Kept(stream, data, left_out))

    def goes_before(self, following: Block) -> None:
        """It is kept no more: let the block behind it know."""
        for stream, size in self.gone.items():
            following.gone[stream] = following.gone.get(stream, 0) + size
        for each in self.kept:
            following.gone[each.stream] = following.gone.get(each.stream, 0) + len(each.data) + each.left_out

    def pieces(self) -> Iterator[OutputPiece]:
        """What is kept, and before that how much is not."""
        for stream in _STREAMS:
            if gone := self.gone.get(stream):
                yield OutputPiece(stream, "", gone)
        for each in self.kept:
            yield OutputPiece.of(each.stream, each.data, each.left_out)


_block = msgspec.msgpack.Decoder(Block).decode
_encode_block = msgspec.msgpack.Encoder().encode


class Tail:
    """The last of what one task wrote, in memory.

    Attributes:
        size: how many bytes it takes.
    """

    def __init__(self) -> None:
        self.size = 0
        self._blocks = [Block([], {})]

    def add(self, pieces: Iterable[OutputPiece], most: int = KEPT_OUTPUT) -> None:
        """Keep these, too, and not much more than `most` bytes in all."""
        self._blocks[-1:] = _filled(self._blocks[-1], pieces)
        sizes = [block.size for block in self._blocks]
        gone = _too_many(sizes, most)
        for number in range(gone):
            self._blocks[number].goes_before(self._blocks[number + 1])
        del self._blocks[:gone]
        self.size = sum(sizes[gone:])

    def let_go(self) -> None:
        """Keep nothing, but for how much it was."""
        empty = Block([], {})
        for block in self._blocks:
            block.goes_before(empty)
        self._blocks, self.size = [empty], 0

    def pieces(self) -> Iterator[OutputPiece]:
        """What is kept."""
        for block in self._blocks:
            yield from block.pieces()


def keep_outputs(connection: sqlite3.Connection, outputs: Outputs) -> None:
    """Write what tasks wrote into the file, and remove what is too old; inside a transaction."""
    for (execution_id, task_id), pieces in outputs.items():
        found = connection.execute("select ordinal from executions where execution_id = ?", (execution_id,)).fetchone()
        if found is not None:
            _keep(connection, found[0], task_id, pieces)


def kept_output(connection: sqlite3.Connection, execution_id: ExecutionId) -> list[StreamedEvent]:
    """What of an execution's output is in the file: that of one task after that of another."""
    rows = connection.execute(
        "select task_id, block from outputs where execution = (select ordinal from executions where execution_id = ?) "
        "order by task_id, number",
        (execution_id,),
    ).fetchall()
    return [event_of(TaskId(task_id), piece) for task_id, block in rows for piece in _block(block).pieces()]


def _keep(connection: sqlite3.Connection, ordinal: int, task_id: TaskId, pieces: Sequence[OutputPiece]) -> None:
    key = (ordinal, task_id)
    sizes = dict(
        connection.execute("select number, size from outputs where execution = ? and task_id = ? order by number", key)
    )
    number = max(sizes, default=1)
    changed: dict[int, Block] = {}
    last = _read(connection, key, number) if number in sizes else Block([], {})
    for each, block in enumerate(_filled(last, pieces), number):
        changed[each] = block
        sizes[each] = block.size
    numbers = list(sizes)
    gone = numbers[: _too_many(list(sizes.values()), KEPT_OUTPUT)]
    for each in gone:
        oldest = changed.pop(each, None) or _read(connection, key, each)
        following = changed.get(each + 1) or _read(connection, key, each + 1)
        oldest.goes_before(following)
        changed[each + 1] = following
    if gone:
        connection.execute("delete from outputs where execution = ? and task_id = ? and number <= ?", (*key, gone[-1]))
    connection.executemany(
        "insert or replace into outputs (execution, task_id, number, size, block) values (?, ?, ?, ?, ?)",
        ((*key, each, block.size, _encode_block(block)) for each, block in changed.items()),
    )


def _read(connection: sqlite3.Connection, key: tuple[int, TaskId], number: int) -> Block:
    (block,) = connection.execute(
        "select block from outputs where execution = ? and task_id = ? and number = ?", (*key, number)
    ).fetchone()
    return _block(block)


def _filled(last: Block, pieces: Iterable[OutputPiece]) -> list[Block]:
    """The blocks that take these pieces: the last one there is, and new ones behind it."""
    blocks, room = [last], _BLOCK - last.size
    for piece in pieces:
        data = piece.data
        while True:
            if room <= 0:
                blocks.append(Block([], {}))
                room = _BLOCK
            part, data = data[:room], data[room:]
            blocks[-1].add(piece.stream, part, 0 if data else piece.left_out)
            room -= len(part) + _PER_PIECE
            if not data:
                break
    return blocks


def _too_many(sizes: Sequence[int], most: int) -> int:
    """How many of the oldest blocks may go: the others hold so much, or are the last."""
    total = sum(sizes)
    for number, size in enumerate(sizes[:-1]):
        total -= size
        if total < most:
            return number
    return max(0, len(sizes) - 1)
