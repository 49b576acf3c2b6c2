"""What the processes weigh after they have worked."""

from __future__ import annotations

from typing import Final

from bench.figures import Figure, figure
from bench.latency import seconds_to_result
from bench.measuring import Measurement, Setting
from bench.processes import resident, running_system

_MIB: Final = 1024**2


async def after_the_fan_out(setting: Setting) -> list[Figure]:
    """Server and worker after a fan-out of 1,000, and after several."""
    async with running_system(setting.folder) as system:
        assert system.worker is not None
        fresh = (resident(system.server) + resident(system.worker)) / _MIB
        await seconds_to_result(system, "fan-out", 1_000)
        server, worker = resident(system.server) / _MIB, resident(system.worker) / _MIB
        for _ in range(10):
            await seconds_to_result(system, "fan-out", 1_000)
        later = (resident(system.server) + resident(system.worker)) / _MIB
    one, both = setting.floors.processes(1), setting.floors.processes(2)
    return [
        figure("server + worker after the fan-out", [server + worker], "MiB", reach="< 100", floor=both),
        figure("server + worker before it", [fresh], "MiB", floor=both),
        figure("server after the fan-out", [server], "MiB", floor=one),
        figure("worker after the fan-out", [worker], "MiB", floor=one),
        figure("server + worker after ten more", [later], "MiB", floor=both),
    ]


MEASUREMENTS: Final = (Measurement("memory.fan-out", "server and worker after a fan-out of 1,000", after_the_fan_out),)
