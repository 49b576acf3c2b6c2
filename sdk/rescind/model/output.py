"""What a program writes, as it is streamed: events of kind ``output``."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from rescind.model.ids import TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.payload import JSON_ENCODING, Payload

OUTPUT: Final = "output"
"""The kind of the events."""

MOST_LEFT_OUT: Final = 2**53
"""More bytes than a program can have written: what tells of more is no output."""

StreamName = Literal["stdout", "stderr"]


class OutputPiece(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of what a program wrote.

    Attributes:
        stream: to which of its outputs.
        text: the piece; what is no UTF-8 is replaced.
        left_out: how many bytes that followed it are not shown.
        base64: the piece as it was written; only if it is no UTF-8. In JSON it is base64.
    """

    stream: StreamName
    text: str
    left_out: Annotated[int, msgspec.Meta(ge=0, le=MOST_LEFT_OUT)] = 0
    base64: bytes | None = None

    @classmethod
    def of(cls, stream: StreamName, data: bytes, left_out: int = 0) -> OutputPiece:
        """The piece of these bytes."""
        try:
            return cls(stream, data.decode("utf-8"), left_out)
        except UnicodeDecodeError:
            return cls(stream, data.decode("utf-8", "replace"), left_out, data)

    @property
    def data(self) -> bytes:
        """The piece as it was written."""
        return self.base64 if self.base64 is not None else self.text.encode("utf-8", "replace")

    @property
    def size(self) -> int:
        """How many bytes it tells of: those that are shown, and those that are left out."""
        return len(self.data) + self.left_out

    def behind(self, size: int) -> OutputPiece:
        """What is left of it behind its first bytes."""
        data = self.data
        return OutputPiece.of(self.stream, data[size:], self.left_out - max(0, size - len(data)))


_decode = msgspec.json.Decoder(OutputPiece).decode
_encode = msgspec.json.Encoder().encode


def piece_of(event: StreamedEvent) -> OutputPiece | None:
    """The piece that an event is about; None if it is none, or none that we know."""
    if event.kind != OUTPUT or event.task_id is None or event.value.encoding != JSON_ENCODING:
        return None
    try:
        return _decode(event.value.data)
    except msgspec.MsgspecError:
        return None  # an event of this name that is the task's own


def event_of(task_id: TaskId, piece: OutputPiece) -> StreamedEvent:
    """A piece as it is streamed."""
    return StreamedEvent(OUTPUT, Payload(_encode(piece)), task_id)
