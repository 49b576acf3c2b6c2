"""Faults, carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from e2e.crash.deployment import Deployment
from e2e.crash.plan import Fault, FaultKind
from e2e.crash.proxy import Proxy

_DELAY = 0.03


async def carry_out(fault: Fault, deployment: Deployment, server_started: Callable[[], Awaitable[None]]) -> None:
    """Let a fault come, and end.

    Args:
        fault: which.
        deployment: whom it comes to.
        server_started: called when a server was started anew, and can be asked.
    """
    seconds = fault.lasting_ms / 1_000
    match fault.kind:
        case FaultKind.KILL_SERVER:
            deployment.kill_server()
            await asyncio.sleep(seconds)
            await deployment.start_server()
            await server_started()
        case FaultKind.KILL_WORKER:
            deployment.worker(fault.target).kill()
            await asyncio.sleep(seconds)
            deployment.start_worker(fault.target)
        case FaultKind.KILL_BOTH:
            deployment.kill_server()
            deployment.worker(fault.target).kill()
            await asyncio.sleep(seconds)
            deployment.start_worker(fault.target)
            await deployment.start_server()
            await server_started()
        case FaultKind.FREEZE_WORKER:
            deployment.worker(fault.target).freeze()
            await asyncio.sleep(seconds)
            deployment.worker(fault.target).thaw()
        case FaultKind.FREEZE_SERVER:
            deployment.server.freeze()
            await asyncio.sleep(seconds)
            deployment.server.thaw()
        case _:
            await _disturb(fault, deployment.links[fault.target], seconds)


async def _disturb(fault: Fault, link: Proxy, seconds: float) -> None:
    match fault.kind:
        case FaultKind.CUT:
            link.cut()
        case FaultKind.HALF_CLOSE:
            link.half_close()
        case FaultKind.CUT_WITHIN:
            link.cut_behind(fault.count)
        case FaultKind.DELAY:
            link.delay(_DELAY)
            await asyncio.sleep(seconds)
            link.delay(0.0)
        case FaultKind.LOSE_ANSWERS:
            link.lose_answers()
            await asyncio.sleep(seconds)
            link.cut_lost()
        case _:
            raise AssertionError(f"{fault.kind} is no fault of a connection")
