"""What is too much: bounds on what comes in, and on what waits to go out."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rescind.errors import InvalidInput, PayloadTooLarge
from rescind.model.messages import (
    AgentCompleted,
    AgentProgress,
    FromWorker,
    StepReported,
    StreamedEvent,
    TaskAlive,
    TaskReported,
)
from rescind.model.operations import AppendEntry, SaveCheckpoint, ScheduleTask
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT, Payload
from rescind.transport.grpc_methods import MESSAGE_LIMIT
from rescind_server.gateway.organisations import outer


class Limits(msgspec.Struct, frozen=True):
    """The bounds of one server.

    Attributes:
        payload: the largest payload in bytes.
        message: the largest message of the wire in bytes; several payloads may be in one.
        name: the longest id, kind, queue, signal name or label's name, in characters.
        unread: the most bytes that wait for one worker or watcher to read them.
        stall_s: how long one batch may wait until its reader takes it, in seconds.
        hello_s: how long a worker's new session may take to say who it is, in seconds.
        starts: the most executions that one call may start.
        heartbeat_s: how long an event stream may say nothing before it sends a comment, in seconds.
        calls_per_second: how many calls a token may make, for long.
        calls_at_once: how many a token may make at once, after it made none for a while.
    """

    payload: int = DEFAULT_PAYLOAD_LIMIT
    message: int = MESSAGE_LIMIT
    name: int = 1_000
    unread: int = 256 * 1024 * 1024
    stall_s: float = 10.0
    hello_s: float = 10.0
    starts: int = 10_000
    heartbeat_s: float = 15.0
    calls_per_second: float = 1_000.0
    calls_at_once: int = 5_000

    def check_payload(self, payload: Payload | None, what: str) -> None:
        """Raises PayloadTooLarge if it is; the text names `what` it is."""
        if payload is not None and len(payload.data) > self.payload:
            raise PayloadTooLarge(
                f"{what} has {len(payload.data)} bytes; this server takes {self.payload}. Pass a reference to it, or "
                "start the server with a larger limit."
            )

    @property
    def received(self) -> int:
        """The largest message that gRPC hands over. Above `message`, so that most of what is refused is refused here.

        What gRPC itself refuses it neither logs nor names.
        """
        return 2 * self.message

    def check_message(self, data: bytes, what: str) -> None:
        """Raises PayloadTooLarge if a message of the wire is; the text names `what` it is."""
        if len(data) > self.message:
            raise PayloadTooLarge(
                f"{what} has {len(data)} bytes; this server takes messages of {self.message}. Send less at once, or "
                "pass references."
            )

    def check_name(self, name: str, what: str) -> None:
        """Raises InvalidInput if it is empty or too long; the text names `what` it is."""
        if not name:
            raise InvalidInput(f"{what} is empty.")
        if len(name) > self.name:
            raise InvalidInput(f"{what} has {len(name)} characters; at most {self.name} are taken.")

    def check(self, message: FromWorker) -> None:
        """Raises PayloadTooLarge if something in a worker's message is."""
        for what, payload in _payloads(message):
            self.check_payload(payload, what)


def _payloads(message: FromWorker) -> Iterable[tuple[str, Payload | None]]:
    match message:
        case TaskReported():
            yield f"the output of task {message.task_id}", message.output
            if message.failure is not None:
                yield f"the failure of task {message.task_id}", message.failure.details
        case TaskAlive():
            yield from _streamed(message.streamed)
        case AgentProgress():
            yield from _operations(message)
            yield from _streamed(message.streamed)
        case StepReported():
            yield f"a step's result of execution {outer(message.execution_id)!r}", message.value
        case _:
            pass


def _operations(message: AgentProgress) -> Iterable[tuple[str, Payload | None]]:
    of = f"of execution {outer(message.execution_id)!r}"
    for operation in message.operations:
        match operation:
            case ScheduleTask():
                yield f"the input of a task {operation.kind!r} {of}", operation.input
            case AppendEntry():
                yield f"an entry {of}", operation.content
            case SaveCheckpoint():
                yield f"a checkpoint {of}", operation.state
            case _:
                pass
    if isinstance(message.ending, AgentCompleted):
        yield f"the output {of}", message.ending.output


def _streamed(events: Iterable[StreamedEvent]) -> Iterable[tuple[str, Payload | None]]:
    for event in events:
        yield f"a streamed event {event.kind!r}", event.value
