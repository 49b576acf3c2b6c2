"""How to meet each error of a server, a connection, a disk or an address that is not to be had."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import grpc
import grpc.aio
import pytest

import rescind
from rescind import errors
from rescind.testing import Environment, run
from rescind.transport.grpc_errors import error_of
from rescind_server.access.rates import Rates
from rescind_server.app import Server
from rescind_server.gateway.identity import take_everybody
from sdk.tests.docs.provoking import Provocations, nap

met: Final = Provocations()


@met.directly("StoreError")
def file_of_something_else(directory: Path) -> BaseException:
    (directory / "agents.db").write_text("a shopping list, say")

    async def main() -> None:
        async with Environment(store=directory / "agents.db"):
            pass

    with pytest.raises(rescind.StoreError) as caught:
        run(main())
    return caught.value


@met.outside("ServerUnavailable")
async def closed() -> None:
    async with Environment(agents=[nap]) as env:
        handle = await env.start(nap, 60)
    await handle.cancel()


@met.outside("AddressUnavailable")
async def serves_at_an_address_of_another_machine() -> None:
    async with Server(None, "192.0.2.1:7233", identify=take_everybody):
        pass


@met.outside("NotAllAnswered")
async def asks_a_cluster_without_workers() -> None:
    raise errors.NotAllAnswered(["order-7", "order-8", "order-9"], found=0)


@met.outside("RateLimited")
async def asks_too_often() -> None:
    rates = Rates(100, 1, clock=lambda: 0.0)
    rates.count("0123456789ab")
    rates.count("0123456789ab")


@met.outside("TlsFailed")
async def does_not_trust_the_server() -> None:
    said = "failed to connect to all addresses: CERTIFICATE_VERIFY_FAILED: certificate has expired: OK"
    nothing = grpc.aio.Metadata()
    failure = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, said)
    raise error_of(failure, "192.0.2.1:7233", is_encrypted=True)
