"""What a worker and the process of a function tell each other: frames of MessagePack over one socket."""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from rescind.model.cause import CancelCause
from rescind.model.messages import StreamedEvent
from rescind.model.outcome import Failure
from rescind.model.payload import Payload

CHANNEL: Final = 3
"""The file under which the process finds the socket, behind the standard three."""

_LENGTH: Final = struct.Struct("!I")


class Call(msgspec.Struct, frozen=True, tag=True):
    """To the process: run a task's function.

    Attributes:
        module: the module that defines it; ``__main__`` is the program at `main_path`, or the module `main_name`.
        name: its qualified name in there.
        kind: the task's kind, as are the following the attempt's.
    """

    module: str
    name: str
    kind: str
    task_id: str
    execution_id: str
    attempt: int
    labels: dict[str, str]
    input: Payload
    payload_limit: int
    search_path: tuple[str, ...]
    main_name: str | None = None
    main_path: str | None = None
    trace_parent: str | None = None


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """To the process: the work is to stop. SIGTERM follows."""

    cause: CancelCause


class FolderMade(msgspec.Struct, frozen=True, tag=True):
    """To the process: the attempt's folder."""

    path: str


class FolderWanted(msgspec.Struct, frozen=True, tag=True):
    """From the process: it wants a folder."""


class Reported(msgspec.Struct, frozen=True, tag=True):
    """From the process: what the function said through its context."""

    progress: float | None = None
    message: str | None = None
    advanced: bool = False
    streamed: StreamedEvent | None = None


class Returned(msgspec.Struct, frozen=True, tag=True):
    """From the process: the function returned."""

    output: Payload


class Raised(msgspec.Struct, frozen=True, tag=True):
    """From the process: the function raised."""

    failure: Failure


class Stopped(msgspec.Struct, frozen=True, tag=True):
    """From the process: the function let its cancel pass."""


ToProcess = Call | Cancel | FolderMade
FromProcess = FolderWanted | Reported | Returned | Raised | Stopped

_encoder: Final = msgspec.msgpack.Encoder()
decode_to_process: Final = msgspec.msgpack.Decoder(ToProcess).decode
decode_from_process: Final = msgspec.msgpack.Decoder(FromProcess).decode


def frame(message: ToProcess | FromProcess) -> bytes:
    """A message as it goes over the socket."""
    data = _encoder.encode(message)
    return _LENGTH.pack(len(data)) + data


class Frames:
    """Cuts what comes from the socket into messages."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take what came; returns the messages that are whole now."""
        self._received += data
        whole = []
        while len(self._received) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._received)
            end = _LENGTH.size + length
            if len(self._received) < end:
                break
            whole.append(bytes(self._received[_LENGTH.size : end]))
            del self._received[:end]
        return whole
