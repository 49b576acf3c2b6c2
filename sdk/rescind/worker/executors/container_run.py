"""One container, from the preparation of its image to its removal."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from rescind.authoring.container_work import Container
from rescind.errors import NonRetryable, RescindError
from rescind.model.trace_parent import VARIABLE
from rescind.runtime.task_context import TaskContext
from rescind.telemetry.traces import current_trace_parent
from rescind.worker.executors.container_reaping import Reaper, pauses
from rescind.worker.executors.docker_address import EngineUnavailable
from rescind.worker.executors.docker_engine import ContainerState, DockerEngine, EngineRefused

ENGINE_RETURNS_WITHIN: Final = 30.0
"""For how many seconds an engine that went away is waited for before its attempt fails."""

_LOG: Final = logging.getLogger("rescind.worker")
_ATTEMPT: Final = "dev.rescind.attempt"
_KIND: Final = "dev.rescind.kind"
_EXECUTION: Final = "dev.rescind.execution"
_OUTPUT_ENDS_WITHIN: Final = 2.0
_LISTENS_WITHIN: Final = 1.0
_ANSWERED_WITHIN: Final = 2.0
_NANO: Final = 1_000_000_000
_NOTHING_TO_RUN: Final = ("attempted to invoke a command that was not found", "OCI permission denied")
_NO_SUCH_IMAGE: Final = ("not found", "manifest unknown", "does not exist", "access denied")


class EngineFailed(RescindError):
    """The container engine could not do what it was asked for, or lost the container. Another attempt may help."""


class Ended(NamedTuple):
    """How a container ended, when it is gone.

    Attributes:
        state: how it stood at its end; None if it never ran.
        told: whether it was told to stop before it had ended by itself.
        forced: whether it had to be killed because it did not stop by itself.
    """

    state: ContainerState | None
    told: bool
    forced: bool


class _ToldToStop(Exception):
    """Before it ran."""


class ContainerRun:
    """Runs one container.

    Attributes:
        name: its name on the engine.
        exists: whether it exists; None while that is uncertain.
    """

    def __init__(
        self,
        engine: DockerEngine,
        reaper: Reaper,
        container: Container,
        context: TaskContext,
        feed: Callable[[str, bytes], None],
    ) -> None:
        """Make a run that has not begun.

        Args:
            engine: where it runs.
            reaper: takes over what cannot be removed at its end.
            container: what runs.
            context: the attempt.
            feed: takes what it writes: the stream's name, and a piece.
        """
        self.name = f"rescind-{context.task_id}-{context.attempt}-{secrets.token_hex(4)}"
        self.exists: bool | None = False
        self._engine = engine
        self._reaper = reaper
        self._container = container
        self._context = context
        self._feed = feed
        self._ordered = asyncio.Event()
        self._killing = asyncio.Event()
        self._told = False
        self._forced = False
        self._pulling: asyncio.Task[None] | None = None

    def stop(self, *, by_force: bool) -> None:
        """Send SIGTERM, or SIGKILL. Before it was begun: it never begins, and its image is fetched no further."""
        self._ordered.set()
        if by_force:
            self._killing.set()
        if self._pulling is not None:
            self._pulling.cancel()

    async def live(self) -> Ended:
        """Live through the whole of it; returns or raises when it is gone.

        Raises:
            NonRetryable: there is no such image, or the engine refuses the container for good.
            EngineFailed: the engine failed, or somebody else removed the container.
            EngineUnavailable: no engine answers, or it went away and did not come back. If it was not told to stop, it
                may still run then; it is removed as soon as the engine is back.
        """
        try:
            await self._create()
            state = await self._carry_out()
        except _ToldToStop:
            return Ended(None, True, False)
        except EngineRefused as error:
            raise _refusal("the container cannot be begun", error) from None
        finally:
            if self.exists is not False:
                await self._remove()
        return Ended(state, self._told, self._forced)

    # --- before it runs ----------------------------------------------------------------------------------------------

    async def _create(self) -> None:
        image, pull = self._container.image, self._container.pull
        if pull == "always":
            await self._pull()
        configuration = _configuration(self._container, {**await self._reaper.labels(), **self._labels()})
        if not await self._has_created(configuration):
            if pull == "never":
                raise NonRetryable(f"the engine has no image {image!r}. Pull it, build it, or say pull='missing'.")
            await self._pull()
            if not await self._has_created(configuration):
                raise EngineFailed(f"the engine pulled the image {image!r}, and does not have it.")

    async def _has_created(self, configuration: Mapping[str, Any]) -> bool:
        """Create it, unless its image is missing."""
        self._stay_unless_told()
        self.exists = None
        try:
            await self._engine.create(self.name, configuration)
        except EngineRefused as error:
            self.exists = False
            if error.status == 404 and "image" in error.said.lower():
                return False
            raise _refusal("the engine refuses the container", error) from None
        self.exists = True
        self._stay_unless_told()
        return True

    async def _pull(self) -> None:
        self._stay_unless_told()
        image = self._container.image
        self._context.log("info", f"pulling the image {image}")
        self._pulling = asyncio.create_task(self._engine.pull(image))
        try:
            await asyncio.wait([self._pulling])
            self._stay_unless_told()
            self._pulling.result()
        except EngineRefused as error:
            text = f"the image {image!r} cannot be pulled: {error}"
            if error.status == 404 or any(sign in error.said.lower() for sign in _NO_SUCH_IMAGE):
                raise NonRetryable(text) from None
            raise EngineFailed(text) from None
        finally:
            self._pulling.cancel()
            self._pulling = None

    def _stay_unless_told(self) -> None:
        if self._ordered.is_set():
            raise _ToldToStop

    def _labels(self) -> dict[str, str]:
        context = self._context
        return {
            _ATTEMPT: f"{context.task_id}/{context.attempt}",
            _KIND: context.kind,
            _EXECUTION: context.execution_id,
        }

    # --- while it runs -----------------------------------------------------------------------------------------------

    async def _carry_out(self) -> ContainerState:
        # Its output is taken from before its first word on.
        async with self._engine.attached(self.name) as pieces:
            self._stay_unless_told()
            try:
                await self._engine.start(self.name)
            except EngineRefused as error:
                raise _refusal("the container cannot be begun", error) from None
            orders = asyncio.create_task(self._hand_on_orders())
            try:
                return await self._until_ended(pieces)
            finally:
                if self._killing.is_set():
                    # Podman answers a kill when the container is dead: only then it is known what ended it.
                    await asyncio.wait([orders], timeout=_ANSWERED_WITHIN)
                await _cancelled(orders)

    async def _until_ended(self, pieces: AsyncIterator[tuple[str, bytes]]) -> ContainerState:
        reading = asyncio.create_task(self._read(pieces))
        try:
            while True:
                try:
                    await self._engine.wait(self.name)
                    await asyncio.wait([reading], timeout=_OUTPUT_ENDS_WITHIN)
                    return await self._engine.state(self.name)
                except EngineRefused as error:
                    raise EngineFailed(f"the container was lost: {error}") from None
                except EngineUnavailable as error:
                    await self._wait_for_engine(error)
        finally:
            await _cancelled(reading)

    async def _read(self, pieces: AsyncIterator[tuple[str, bytes]]) -> None:
        async for stream, data in pieces:
            self._feed(stream, data)

    async def _wait_for_engine(self, error: EngineUnavailable) -> None:
        """Return when it answers again. Work that was told to stop is not let go of before it has stopped."""
        _LOG.warning("container %s runs on without its engine: %s", self.name, error)
        loop = asyncio.get_running_loop()
        until = loop.time() + ENGINE_RETURNS_WITHIN
        next_pause = pauses()
        while True:
            with suppress(EngineUnavailable, EngineRefused):
                return await self._engine.ping()
            if not self._ordered.is_set() and loop.time() > until:
                raise error
            await asyncio.sleep(next_pause())

    async def _hand_on_orders(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._ordered.wait()
        await self._send("SIGTERM")
        if loop.time() - began < _LISTENS_WITHIN:
            # What has only just begun may not have listened yet, and the first process is sent no signal then.
            with suppress(TimeoutError):
                async with asyncio.timeout(_LISTENS_WITHIN):
                    await self._killing.wait()
            await self._send("SIGTERM")
        await self._killing.wait()
        self._forced = await self._send("SIGKILL")

    async def _send(self, signal_name: str) -> bool:
        """Send a signal, however long that takes; a kill order overtakes what is not sent yet."""
        next_pause = pauses()
        while signal_name == "SIGKILL" or not self._killing.is_set():
            try:
                was_running = await self._engine.signal(self.name, signal_name)
            except (EngineUnavailable, EngineRefused) as error:
                _LOG.warning("container %s cannot be sent %s yet: %s", self.name, signal_name, error)
            else:
                self._told = self._told or was_running
                return was_running
            await asyncio.sleep(next_pause())
        return False

    # --- when it has ended -------------------------------------------------------------------------------------------

    async def _remove(self) -> None:
        next_pause = pauses()
        while True:
            try:
                await self._engine.remove(self.name)
                self.exists = False
                return
            except (EngineUnavailable, EngineRefused) as error:
                if not self._ordered.is_set():
                    self._reaper.remove_later(self.name)
                    return
                _LOG.warning("container %s was told to stop, and cannot be removed yet: %s", self.name, error)
            await asyncio.sleep(next_pause())


def _configuration(container: Container, labels: Mapping[str, str]) -> dict[str, Any]:
    """The container as the engine is asked for it."""
    host: dict[str, Any] = {
        "Init": container.init,
        "NetworkMode": container.network,
        "LogConfig": {"Type": "none"},  # its output is taken as it comes, and is not to fill the engine's disk
        "Mounts": [
            {"Type": "bind", "Source": mount.source, "Target": mount.target, "ReadOnly": not mount.writable}
            for mount in container.mounts
        ],
    }
    if container.cpus is not None:
        host["NanoCpus"] = round(container.cpus * _NANO)
    if container.memory is not None:
        host["Memory"] = host["MemorySwap"] = container.memory
    trace_parent = current_trace_parent()
    traced = {VARIABLE: trace_parent} if trace_parent is not None else {}
    made: dict[str, Any] = {
        "Image": container.image,
        "Env": [f"{name}={value}" for name, value in {**traced, **container.env}.items()],
        "Labels": dict(labels),
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": host,
    }
    said = {
        "Entrypoint": container.entrypoint(),
        "Cmd": container.arguments(),
        "WorkingDir": container.cwd,
        "User": container.user,
    }
    return {**made, **{name: value for name, value in said.items() if value is not None}}


def _refusal(what: str, error: EngineRefused) -> RescindError:
    """4xx says that the request cannot be meant, but for a conflict, which passes; Podman says 500 to much of that."""
    is_final = 400 <= error.status < 500 and error.status != 409
    is_final = is_final or any(sign in error.said for sign in _NOTHING_TO_RUN)
    return (NonRetryable if is_final else EngineFailed)(f"{what}: {error}")


async def _cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()
