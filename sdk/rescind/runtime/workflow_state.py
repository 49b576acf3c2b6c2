"""The state of a workflow: values by key, shown to people while it runs, and kept in its log."""

from __future__ import annotations

from typing import Any, TypeVar

from rescind.authoring.conversion import decode, encode
from rescind.model.texts import checked_text
from rescind.runtime.workflow_ports import WorkflowContextPort

T = TypeVar("T")


class WorkflowState:
    """Values by key. What the code reads is what it wrote before, in this pass and in each one again."""

    _port: WorkflowContextPort

    async def get_raw(self, key: str) -> Any:
        """The value under a key, as JSON; None if there is none."""
        return await self.get_typed(key, None)

    async def get_typed(self, key: str, as_type: Any) -> Any:
        """The value under a key, read as `as_type`; None if there is none."""
        await self._port.tell_cancel()
        payload = self._port.values.get(_key(key))
        return None if payload is None else decode(payload, as_type, what=f"state {key!r}")

    async def set_raw(self, key: str, value: Any) -> None:
        """Keep a JSON value under a key.

        Raises:
            InvalidInput: an empty key, or a value that is not JSON.
        """
        await self._port.tell_cancel()
        key = _key(key)
        self._port.set_state(key, encode(value, what=f"state {key!r}", limit=self._port.payload_limit))

    set_typed = set_raw

    async def clear(self, key: str) -> None:
        """Keep nothing under a key any more. A key with nothing under it is left alone."""
        await self._port.tell_cancel()
        if _key(key) in self._port.values:
            self._port.clear_state(key)

    async def clear_all(self) -> None:
        """Keep nothing any more."""
        for key in await self.state_keys():
            await self.clear(key)

    async def state_keys(self) -> list[str]:
        """The keys with a value, in the order in which they were first set."""
        await self._port.tell_cancel()
        return list(self._port.values)


def _key(key: object) -> str:
    return checked_text(key, "a key of the state")
