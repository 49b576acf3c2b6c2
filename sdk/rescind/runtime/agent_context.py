"""The context of an agent: the promise that its author is given, kept on an AgentPort."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from rescind.model.ids import execution_uuid
from rescind.model.options import Seconds, milliseconds
from rescind.runtime.agent_children import AgentChildren
from rescind.runtime.agent_conversation import AgentConversation, loaded_messages
from rescind.runtime.agent_tasks import AgentTasks
from rescind.runtime.durable_context import DurableContext
from rescind.runtime.ports import AgentPort


class AgentContext(DurableContext, AgentTasks, AgentChildren, AgentConversation):
    """What an agent works with. It is valid while the agent's code runs, and in that code only.

    Anything else raises ContextNotActive.
    """

    _port: AgentPort

    def __init__(self, port: AgentPort) -> None:
        """Made by a backend, not by an agent."""
        self._port = port
        self._messages = loaded_messages(port.entries)
        self._turn_id = None
        self._state = port.state
        self._checkpoint_sequence = port.checkpoint_sequence
        self._usage = port.usage

    @property
    def agent_execution_id(self) -> UUID:
        """The execution's id as a UUID."""
        return execution_uuid(self._port.execution_id)

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels given at the start."""
        return self._port.labels

    @property
    def parent_execution_id(self) -> str | None:
        """The agent that spawned this one, if one did."""
        return self._port.parent_id

    async def sleep(self, duration: Seconds) -> None:
        """Wait for a time; durable, so it goes on through a recovery. The same as ``asyncio.sleep`` in an agent."""
        await self._port.sleep(milliseconds(duration, "duration") / 1_000)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._port.execution_id!r}>"
