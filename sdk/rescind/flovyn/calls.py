"""The calls of flovyn.v1 that a worker makes."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from google.protobuf.message import Message
from rescind_proto.flovyn.v1 import agent_pb2, flovyn_pb2

from rescind.errors import RequestError, RescindError
from rescind.transport.grpc_client import GrpcConnection
from rescind.transport.grpc_methods import methods_of

POLL_SECONDS: Final = 30
"""How long the server may hold a poll."""

_LOG: Final = logging.getLogger("rescind.flovyn")
_MORE_THAN_THE_POLL: Final = 15.0
_AGENTS: Final = methods_of(agent_pb2.DESCRIPTOR.services_by_name["AgentDispatch"])
_TASKS: Final = methods_of(flovyn_pb2.DESCRIPTOR.services_by_name["TaskExecution"])
_LIFECYCLE: Final = methods_of(flovyn_pb2.DESCRIPTOR.services_by_name["WorkerLifecycle"])
_METHODS: Final = {**_AGENTS, **_TASKS, **_LIFECYCLE}
_FIRST_PAUSE: Final = 0.1
_GROWTH: Final = 1.25
_LONGEST_PAUSE: Final = 5.0

AnswerT = TypeVar("AnswerT")


class Calls:
    """Makes calls over one connection."""

    def __init__(self, connection: GrpcConnection) -> None:
        self._connection = connection
        self.address = connection.address

    async def ask(self, name: str, request: Message) -> Any:
        """Make a call once.

        Raises:
            RescindError: the server refused, or could not be reached.
        """
        return await self._connection.ask(_METHODS[name], request)

    async def poll(self, name: str, request: Message) -> Any:
        """Make a call that the server may hold for `POLL_SECONDS`. Raises as `ask` does."""
        return await self._connection.ask(_METHODS[name], request, timeout=POLL_SECONDS + _MORE_THAN_THE_POLL)

    async def upload(self, name: str, messages: Sequence[Message]) -> Any:
        """Make a call that takes many messages. Raises as `ask` does."""
        return await self._connection.upload(_METHODS[name], messages)

    async def insist(self, name: str, request: Message) -> Any:
        """Make a call, again and again while no server can be reached.

        Raises:
            RequestError: the server refused.
        """
        return await insisting(lambda: self.ask(name, request))


async def insisting(ask: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
    """The answer to a call that may be repeated, made until a server answers.

    A server that fails over a call has refused nothing: one that is killed may look so.

    Raises:
        RequestError: the server refused.
    """
    pause = Pause()
    while True:
        try:
            return await ask()
        except RequestError:
            raise
        except RescindError as error:
            _LOG.debug("a call is made again: %s", error)
        await pause.wait()


class Pause:
    """The pauses between attempts to reach a server: each longer than the one before, up to 5 s."""

    def __init__(self) -> None:
        self._seconds = _FIRST_PAUSE

    async def wait(self) -> None:
        """Wait for the next of them."""
        await asyncio.sleep(self._seconds * random.uniform(0.5, 1.0))
        self._seconds = min(_LONGEST_PAUSE, self._seconds * _GROWTH)

    def reset(self) -> None:
        """Something arrived: the next pause is short."""
        self._seconds = _FIRST_PAUSE
