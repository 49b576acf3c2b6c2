"""Cost of an operation against the amount of what is there already: it should be flat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

from bench.figures import Series, Spread, spread
from bench.latency import seconds_to_result
from bench.measuring import Measurement, Setting
from bench.notices import listening
from bench.pending import put
from bench.processes import System, line_of, python, running_system
from bench.workload import Amount
from rescind.model.commands import StartExecution
from rescind.model.filters import ExecutionFilter

_FAN: Final = 200
_STRETCH: Final = 50
_STRETCHES: Final = 5
_SINGLE: Final = "one task, start to result"
_SPREAD_OUT: Final = f"fan-out of {_FAN}, per task"


async def _operations(system: System, setting: Setting) -> tuple[Spread, Spread]:
    """The two operations whose cost is watched: one task in ms, and a fan-out in microseconds per task."""
    for _ in range(5):
        await seconds_to_result(system, "single", None)
    await seconds_to_result(system, "fan-out", _FAN)
    singles = [await seconds_to_result(system, "single", None) * 1e3 for _ in range(setting.pick(50, 200))]
    fans = [await seconds_to_result(system, "fan-out", _FAN) / _FAN * 1e6 for _ in range(setting.pick(5, 15))]
    return spread(singles), spread(fans)


async def _against(
    name: str,
    amount: str,
    system: System,
    setting: Setting,
    amounts: Sequence[int],
    grow: Callable[[int], Awaitable[object]],
) -> list[Series]:
    """Measure both operations at each amount; `grow` is given how many more there must be."""
    measured = []
    there = 0
    for wanted in amounts:
        if wanted > there:
            await grow(wanted - there)
        there = wanted
        measured.append(await _operations(system, setting))
    at = tuple(map(float, amounts))
    return [
        Series(
            name=name, amount=amount, operation=_SINGLE, unit="ms", amounts=at, costs=tuple(one for one, _ in measured)
        ),
        Series(
            name=name,
            amount=amount,
            operation=_SPREAD_OUT,
            unit="µs",
            amounts=at,
            costs=tuple(fan for _, fan in measured),
        ),
    ]


async def tasks(setting: Setting) -> list[Series]:
    """The cost per task of fan-outs of several sizes."""
    amounts = setting.pick((100, 1_000, 5_000), (1_000, 3_000, 10_000, 30_000, 100_000))
    costs = []
    async with running_system(setting.folder) as system:
        await seconds_to_result(system, "fan-out", 1_000)
        for count in amounts:
            few = max(1, min(5, 10_000 // count))
            costs.append(spread([await seconds_to_result(system, "fan-out", count) / count * 1e6 for _ in range(few)]))
    at = tuple(map(float, amounts))
    operation = "fan-out, per task"
    return [Series(name="tasks", amount="tasks", operation=operation, unit="µs", amounts=at, costs=tuple(costs))]


async def history_length(setting: Setting) -> list[Series]:
    """The cost of a step of an execution whose history grows."""
    windows = setting.pick(6, 20, 60)
    costs: list[Spread] = []
    async with running_system(setting.folder) as system, listening() as notices:
        handle = await system.client.start("milestones", Amount(notices.port, _STRETCH))
        before = int(await notices.next("milestone"))
        for _ in range(windows):
            stretches = []
            for _ in range(_STRETCHES):
                now = int(await notices.next("milestone"))
                stretches.append((now - before) / _STRETCH / 1e6)
                before = now
            costs.append(spread(stretches))
        await handle.cancel(hard=True)
        events = len(await handle.history())
    # Each is named by the length that it began with; the stretch before the first warms up.
    per_stretch = events / (windows * _STRETCHES + 1)
    at = tuple(float(round(per_stretch * (place * _STRETCHES + 1))) for place in range(windows))
    return [
        Series(name="history-length", amount="events", operation="one step", unit="ms", amounts=at, costs=tuple(costs))
    ]


async def closed_executions(setting: Setting) -> list[Series]:
    """Both operations against executions that have ended."""
    amounts = setting.pick((0, 2_000, 5_000), (0, 1_000, 10_000, 30_000, 100_000))
    async with running_system(setting.folder) as system:

        async def grow(count: int) -> None:
            await put(system, count)
            async for _ in system.client.cancel_where(ExecutionFilter(queue="pending")):
                pass

        return await _against("closed-executions", "closed executions", system, setting, amounts, grow)


async def pending_executions(setting: Setting) -> list[Series]:
    """Both operations against executions that wait on another queue."""
    amounts = setting.pick((0, 2_000, 5_000), (0, 1_000, 10_000, 30_000, 100_000))
    async with running_system(setting.folder) as system:
        return await _against(
            "pending-executions", "pending executions", system, setting, amounts, lambda count: put(system, count)
        )


async def idle_workers(setting: Setting) -> list[Series]:
    """Both operations against workers on the same queue that run another kind."""
    amounts = setting.pick((0, 10, 50), (1, 10, 100, 300, 1_000))
    async with running_system(setting.folder) as system, AsyncExitStack() as others:

        async def grow(count: int) -> None:
            arguments = ("-m", "bench.idle_workers", system.address, str(count))
            log = system.store.with_name("idle.log")
            await line_of(await others.enter_async_context(python(*arguments, log=log)))

        return await _against("idle-workers", "idle workers", system, setting, amounts, grow)


async def waiting_agents(setting: Setting) -> list[Series]:
    """Both operations against agents that wait for a signal, in the same worker."""
    amounts = setting.pick((0, 500, 2_000), (0, 1_000, 5_000, 20_000), (0, 1_000, 10_000, 30_000, 100_000))
    async with running_system(setting.folder) as system:

        async def grow(count: int) -> None:
            for first in range(0, count, 1_000):
                await system.client.start_many([StartExecution("waiting")] * min(1_000, count - first))
            # They wait when the last of them has run: agents of one queue begin in their order.
            await seconds_to_result(system, "single", None)

        return await _against("waiting-agents", "waiting agents", system, setting, amounts, grow)


MEASUREMENTS: Final = (
    Measurement("scaling.tasks", "cost per task against the number of tasks", tasks, limit=300),
    Measurement("scaling.history-length", "cost of a step against the length of the history", history_length),
    Measurement("scaling.closed-executions", "against closed executions", closed_executions, limit=300),
    Measurement("scaling.pending-executions", "against pending executions", pending_executions, limit=300),
    Measurement("scaling.idle-workers", "against idle workers", idle_workers, limit=300),
    Measurement("scaling.waiting-agents", "against waiting agents", waiting_agents, limit=900),
)
