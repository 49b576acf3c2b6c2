"""What becomes of containers whose attempts cannot remove them: their worker died, or their engine went away.

Each container bears labels that say which process made it. A worker that starts removes those whose process is dead.
Whether a process is, can only be seen on its own machine, in its own namespace of processes: of others it is assumed
that they live. A worker that runs in a container of the engine itself is looked for on the engine instead.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from rescind.worker.executors import process_table
from rescind.worker.executors.docker_address import EngineUnavailable
from rescind.worker.executors.docker_engine import DockerEngine, EngineRefused

WORKER: Final = "dev.rescind.worker"
"""The label that says which process made a container, as in the marks of processes."""

MACHINE: Final = "dev.rescind.machine"
"""The label that says on which machine, and since when that runs: the same process is never meant by another one."""

INSIDE: Final = "dev.rescind.inside"
"""The label that says in which container of the same engine that process runs, if it does."""

_LOG: Final = logging.getLogger("rescind.worker")
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 10.0
_CONTAINER_FILES: Final = re.compile(r"/containers/(?:overlay-containers/)?([0-9a-f]{64})/")


def pauses() -> Callable[[], float]:
    """How many seconds to wait before an engine that went away is asked again; longer each time."""
    pause = _FIRST_PAUSE / 2

    def next_pause() -> float:
        nonlocal pause
        pause = min(2 * pause, _LONGEST_PAUSE)
        return pause

    return next_pause


class Reaper:
    """Removes, for one worker, what no attempt removes any more."""

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine
        self._looking: asyncio.Task[None] | None = None
        self._has_looked = False
        self._removing: set[asyncio.Task[None]] = set()
        self._labels: dict[str, str] | None = None

    async def labels(self) -> Mapping[str, str]:
        """What the containers of this worker bear."""
        if self._labels is None:
            labels = {WORKER: process_table.identity(), MACHINE: _machine()}
            own = _own_container()
            if own is not None and await self._runs(own):
                labels[INSIDE] = own
            self._labels = labels
        return self._labels

    def look(self) -> None:
        """Begin to remove what dead workers left behind, once; again if the engine could not be asked."""
        if not self._has_looked and (self._looking is None or self._looking.done()):
            self._looking = asyncio.get_running_loop().create_task(self._look())

    def remove_later(self, name: str) -> None:
        """Remove a container as soon as the engine lets it."""
        removing = asyncio.get_running_loop().create_task(self._remove(name))
        self._removing.add(removing)
        removing.add_done_callback(self._removing.discard)

    async def remove_those_of_dead_workers(self) -> int:
        """Remove what dead workers left behind; returns how many containers that were.

        Raises:
            EngineUnavailable: no engine answers.
        """
        found = await self._engine.labelled(WORKER)
        dead = [identity for identity, labels in found.items() if await self._is_dead(labels)]
        for identity in dead:
            with suppress(EngineRefused):
                await self._engine.remove(identity)
        return len(dead)

    def close(self) -> None:
        """The worker has ended."""
        for task in (*self._removing, *filter(None, [self._looking])):
            task.cancel()

    async def _look(self) -> None:
        try:
            count = await self.remove_those_of_dead_workers()
        except (EngineUnavailable, EngineRefused) as error:
            _LOG.debug("containers of dead workers are looked for later: %s", error)
            return
        self._has_looked = True
        if count:
            _LOG.warning("removed %s containers that dead workers had left behind", count)

    async def _remove(self, name: str) -> None:
        next_pause = pauses()
        while True:
            try:
                return await self._engine.remove(name)
            except (EngineUnavailable, EngineRefused) as error:
                _LOG.debug("container %s is removed later: %s", name, error)
            await asyncio.sleep(next_pause())

    async def _is_dead(self, labels: Mapping[str, str]) -> bool:
        inside = labels.get(INSIDE)
        if inside is not None:
            return not await self._runs(inside)
        made_on, here = labels.get(MACHINE, _machine()), _machine()
        if made_on == here:
            return not process_table.is_alive(labels[WORKER])
        # The same machine, started anew. Over a network, another one may call itself the same.
        name = made_on.partition("/")[0]
        return bool(name) and name == here.partition("/")[0] and self._engine.address.socket is not None

    async def _runs(self, identity: str) -> bool:
        try:
            return (await self._engine.state(identity)).is_running
        except EngineRefused as error:
            return error.status != 404


@cache
def _machine() -> str:
    """The machine's name for itself, and that of the time since it was started."""
    return f"{_line('/etc/machine-id')}/{_line('/proc/sys/kernel/random/boot_id')}"


@cache
def _own_container() -> str | None:
    """The container that this process runs in, as engines call it: it stands in the paths of files mounted into it."""
    with suppress(OSError):
        found = _CONTAINER_FILES.search(Path("/proc/self/mountinfo").read_text("utf-8", "replace"))
        return found[1] if found is not None else None
    return None


def _line(path: str) -> str:
    try:
        return Path(path).read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
