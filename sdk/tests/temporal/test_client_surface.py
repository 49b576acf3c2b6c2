"""Who calls a server can call a cluster: the two clients have the same methods, which take the same arguments."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from rescind import Client, errors
from rescind.temporal import TemporalClient


def surface(client: type[Any]) -> dict[str, Any]:
    """What a client offers beside making it, by name."""
    return {
        name: thing
        for name in dir(client)
        if not name.startswith("_") and inspect.isroutine(thing := inspect.getattr_static(client, name))
    }


@pytest.mark.parametrize("name", surface(Client))
def test_a_method_of_a_servers_client_is_one_of_a_clusters_with_the_same_arguments(name: str) -> None:
    theirs, ours = getattr(Client, name), getattr(TemporalClient, name)
    assert inspect.signature(theirs) == inspect.signature(ours)
    for kind in (inspect.iscoroutinefunction, inspect.isasyncgenfunction):
        assert kind(theirs) == kind(ours)


@pytest.mark.parametrize("name", ["address", "webhooks"])
def test_an_attribute_of_a_servers_client_is_one_of_a_clusters(name: str) -> None:
    assert name in (Client.__doc__ or "")
    assert inspect.getattr_static(TemporalClient, name)


def test_nothing_but_temporals_own_port_is_added() -> None:
    added = {name for name in dir(TemporalClient) if not name.startswith("_")} - set(surface(Client))
    assert added == {"address", "port", "webhooks"}


@pytest.mark.asyncio
async def test_what_a_cluster_cannot_know_is_refused_with_what_to_do_instead() -> None:
    client = TemporalClient("localhost:1")
    with pytest.raises(errors.NotSupported, match="Follow the executions"):
        _ = client.webhooks
    with pytest.raises(errors.NotSupported, match=r"handle\(id\)\.history\(\)"):
        [each async for each in client.audit()]
