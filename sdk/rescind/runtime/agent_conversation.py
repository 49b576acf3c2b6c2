"""What an agent keeps: entries of its conversation, checkpoints, signals, and what it streams to those who watch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

from rescind.authoring.conversion import decode, encode
from rescind.errors import InvalidInput
from rescind.model.agent_values import EntryRole, EntryType, LoadedMessage, StreamEvent
from rescind.model.messages import EntryRecord, StreamedEvent
from rescind.model.payload import Payload
from rescind.model.texts import checked_text
from rescind.runtime.ports import AgentPort

T = TypeVar("T")


class AgentConversation:
    """Entries, checkpoints, signals and streamed events, as an agent sees them."""

    _port: AgentPort
    _messages: list[LoadedMessage]
    _turn_id: str | None
    _state: Payload | None
    _checkpoint_sequence: int

    async def append_entry(
        self, role: EntryRole | str, content: Any, *, entry_type: EntryType | str = EntryType.MESSAGE
    ) -> UUID:
        """Append to the conversation; returns the entry's id. It leaves with the next await, and is never doubled.

        Raises:
            InvalidInput: unknown role or type, or the content is not JSON.
        """
        try:
            known_role, known_type = EntryRole(role), EntryType(entry_type)
        except ValueError:
            raise InvalidInput(
                f"{role!r} with type {entry_type!r} is no entry. Roles: {', '.join(EntryRole)}; types: "
                f"{', '.join(EntryType)}."
            ) from None
        payload = encode(content, what="content of an entry", limit=self._port.payload_limit)
        await self._port.tell_cancel()
        record = self._port.append_entry(known_type.value, known_role.value, payload, self._turn_id)
        message = loaded_message(record)
        self._messages.append(message)
        return message.entry_id

    async def append_tool_call(self, tool_name: str, tool_input: Any) -> UUID:
        """Append an assistant's call of a tool: ``{"tool_name", "input"}``."""
        return await self.append_entry(EntryRole.ASSISTANT, {"tool_name": tool_name, "input": tool_input})

    async def append_tool_result(self, tool_name: str, tool_output: Any) -> UUID:
        """Append what a tool gave: ``{"tool_name", "output"}``."""
        return await self.append_entry(EntryRole.TOOL_RESULT, {"tool_name": tool_name, "output": tool_output})

    async def append_tool_result_with_id(self, tool_call_id: str, tool_name: str, tool_output: Any) -> UUID:
        """Append what a tool gave to one call of several: ``{"toolCallId", "tool_name", "output"}``."""
        content = {"toolCallId": tool_call_id, "tool_name": tool_name, "output": tool_output}
        return await self.append_entry(EntryRole.TOOL_RESULT, content)

    def set_turn_id(self, turn_id: str | None) -> None:
        """Tag the entries from now on; None ends it. Raises InvalidInput for what is no text."""
        self._turn_id = None if turn_id is None else checked_text(turn_id, "a turn's id")

    def load_messages(self) -> list[LoadedMessage]:
        """The conversation so far, oldest first."""
        return list(self._messages)

    async def reload_messages(self) -> list[LoadedMessage]:
        """The conversation so far; the name is the Rust SDK's, which keeps a copy that can be behind."""
        return self.load_messages()

    async def checkpoint(self, state: Any) -> None:
        """Store the agent's state; durable, with all that was asked for before, when this returns.

        With ``@agent(kind, recovery="checkpoint")`` a recovery begins here, with `state` as ``ctx.state()``.

        Raises:
            InvalidInput: the state is not JSON.
            PayloadTooLarge: it is larger than the limit.
        """
        payload = encode(state, what="state of a checkpoint", limit=self._port.payload_limit)
        await self._port.checkpoint(payload)
        self._state = payload
        self._checkpoint_sequence = 1 if self._checkpoint_sequence < 0 else self._checkpoint_sequence + 1

    def state(self, as_type: type[T] | None = None) -> Any:
        """The last checkpoint's state, read as `as_type` if given; None if there was none."""
        return None if self._state is None else decode(self._state, as_type, what="state of a checkpoint")

    @property
    def checkpoint_sequence(self) -> int:
        """The number of the last checkpoint, 1 for the first; -1 before it."""
        return self._checkpoint_sequence

    async def flush_pending(self) -> None:
        """Send what was asked for so far; durable when this returns."""
        await self._port.flush()

    async def wait_for_signal_raw(self, name: str) -> Any:
        """Take the oldest signal of this name, waiting for one. Cancelling the wait loses no signal."""
        signal = await self._port.take_signal(_signal_name(name), is_glob=False)
        return decode(signal.value, None, what=f"signal {name!r}")

    async def wait_for_signal(self, name: str, as_type: type[T]) -> T:
        """Take the oldest signal of this name, waiting for one, and read it as `as_type`.

        Raises:
            InvalidInput: the signal is not of that type; it is used up all the same.
        """
        signal = await self._port.take_signal(_signal_name(name), is_glob=False)
        value: T = decode(signal.value, as_type, what=f"signal {name!r}")
        return value

    async def wait_for_signal_by_pattern(self, pattern: str) -> tuple[str, Any]:
        """Take the oldest signal whose name the glob selects, waiting for one; its name and value."""
        signal = await self._port.take_signal(_signal_name(pattern), is_glob=True)
        return signal.name, decode(signal.value, None, what=f"signal {signal.name!r}")

    async def has_signal(self, name: str) -> bool:
        """Whether a signal of this name is queued; takes none."""
        return await self._port.has_signal(_signal_name(name), is_glob=False)

    async def drain_signals_raw(self, name: str) -> list[Any]:
        """Take all queued signals of this name, oldest first."""
        return await self.drain_signals(name, None)

    async def drain_signals(self, name: str, as_type: Any) -> list[Any]:
        """Take all queued signals of this name, oldest first, read as `as_type`."""
        signals = await self._port.drain_signals(_signal_name(name), is_glob=False)
        return [decode(signal.value, as_type, what=f"signal {name!r}") for signal in signals]

    async def drain_signals_by_pattern(self, pattern: str) -> list[tuple[str, Any]]:
        """Take all queued signals whose names the glob selects, oldest first: names and values."""
        signals = await self._port.drain_signals(_signal_name(pattern), is_glob=True)
        return [(signal.name, decode(signal.value, None, what=f"signal {signal.name!r}")) for signal in signals]

    async def stream(self, event: StreamEvent) -> None:
        """Tell those who watch. Not kept, not repeated in a recovery; what cannot be sent is dropped."""
        payload = encode(event.value, what=f"streamed {event.kind}", limit=self._port.payload_limit)
        self._port.stream(StreamedEvent(checked_text(event.kind, "a streamed event's kind"), payload))

    async def stream_token(self, text: str) -> None:
        """Stream a piece of generated text."""
        await self.stream(StreamEvent.token(text))

    async def stream_progress(self, progress: float, details: str | None = None) -> None:
        """Stream how far the work is, between 0 and 1."""
        await self.stream(StreamEvent.progress(progress, details))

    async def stream_data_value(self, data: Any) -> None:
        """Stream any JSON value."""
        await self.stream(StreamEvent.data(data))

    async def stream_error(self, message: str, code: str | None = None) -> None:
        """Stream an error that does not end the agent."""
        await self.stream(StreamEvent.error(message, code))


def loaded_message(record: EntryRecord) -> LoadedMessage:
    """An entry as the agent reads it back."""
    content = decode(record.content, None, what="content of an entry")
    return LoadedMessage(UUID(record.entry_id), EntryType(record.entry_type), EntryRole(record.role), content)


def loaded_messages(records: Sequence[EntryRecord]) -> list[LoadedMessage]:
    """Entries as the agent reads them back."""
    return [loaded_message(record) for record in records]


def _signal_name(name: object) -> str:
    return checked_text(name, "a signal's name")
