"""Very many readers of one execution's events, some of which read nothing: how late the others are."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import Process
from collections.abc import Coroutine, Sequence
from typing import Any, Final

from bench.figures import Figure, figure
from bench.measuring import Measurement, Setting
from bench.processes import line_of, python, resident, running_system
from bench.workload import Speech

_READERS: Final = 1_000
_STUCK: Final = 10
_PACE_S: Final = 0.05
_WORD: Final = 2_000
_KEPT: Final = 1024**2
"""So many bytes of what is streamed the server keeps for one execution."""
_MIB: Final = 1024**2


async def follow(setting: Setting) -> Sequence[Figure]:
    """A task that streams twenty words of 2 kB a second, and a thousand readers."""
    speech = Speech(setting.pick(100, 800, 1_200), _PACE_S, _WORD)
    async with running_system(setting.folder) as system:
        handle = await system.client.start("speaking", speech)
        port = system.http.rpartition(":")[2]
        before = resident(system.server)
        async with python("-m", "bench.following", port, handle.id, str(_READERS), str(_STUCK)) as readers:
            assert readers.stdin is not None
            assert await line_of(readers) == "following"
            connected = resident(system.server)
            await handle.signal("go")
            highest = await highest_until(handle.result(), system.server)
            await asyncio.sleep(1)
            readers.stdin.write(b"\n")
            found = json.loads(await line_of(readers))
    if found["least"] != speech.count:
        raise RuntimeError(f"a reader got {found['least']} of {speech.count} events")
    name = f"{_READERS:,} readers of one stream, {_STUCK} stuck"
    if speech.count * _WORD > _KEPT and found["told"] != _STUCK:
        raise RuntimeError(f"{found['told']} of {_STUCK} readers that were stuck have been told what they missed")
    name = f"{_READERS:,} readers of one stream, {_STUCK} stuck"
    return [
        figure(f"{name}: task to reader", found["delays"], "ms"),
        figure(f"{name}: task to reader", found["delays"], "ms", statistic="p99", reach="< 250"),
        figure(f"{name}: memory for each", [(connected - before) / _READERS / 1024], "KiB"),
        figure(f"{name}: memory beyond that, at most", [(highest - connected) / _MIB], "MiB"),
    ]


async def highest_until(end: Coroutine[Any, Any, object], process: Process) -> float:
    """The most memory that a process holds until something has happened, in bytes; looked at ten times a second."""
    highest = resident(process)
    ending = asyncio.ensure_future(end)
    while not ending.done():
        await asyncio.wait([ending], timeout=0.1)
        highest = max(highest, resident(process))
    await ending
    return highest


MEASUREMENTS: Final = (
    Measurement("sse.follow", "a thousand readers of one event stream, ten of them stuck", follow, limit=240),
)
