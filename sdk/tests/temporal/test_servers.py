"""What the other tests of this folder take for granted of the servers that they are given."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from temporalio.api.testservice.v1 import SleepRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, GetSystemInfoRequest
from temporalio.client import Client, WorkflowExecutionStatus

from fixtures.temporal_servers.development_server import SERVER_VERSION
from fixtures.temporal_servers.running import DevelopmentServer, TimeSkippingServer, running

pytestmark = pytest.mark.temporal


def test_the_development_server_is_of_the_expected_version(development_server: DevelopmentServer) -> None:
    async def main() -> str:
        client = await Client.connect(development_server.address)
        return (await client.workflow_service.get_system_info(GetSystemInfoRequest())).server_version

    assert asyncio.run(main()) == SERVER_VERSION


def test_the_development_server_has_worker_commands(development_server: DevelopmentServer) -> None:
    async def main() -> bool:
        client = await Client.connect(development_server.address)
        described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
        return described.namespace_info.capabilities.worker_commands

    assert asyncio.run(main())


def test_a_development_server_that_was_killed_goes_on_with_its_database(tmp_path: Path) -> None:
    async def main() -> WorkflowExecutionStatus | None:
        async with running(DevelopmentServer(tmp_path, database=tmp_path / "temporal.sqlite")) as server:
            client = await Client.connect(server.address)
            await client.start_workflow("nobody-runs-it", id="kept", task_queue="nobody-polls-it")
            server.kill()
            await asyncio.to_thread(server.start)
            client = await Client.connect(server.address)
            return (await client.get_workflow_handle("kept").describe()).status

    assert asyncio.run(main()) == WorkflowExecutionStatus.RUNNING


def test_the_time_skipping_server_skips_time(time_skipping_server: TimeSkippingServer) -> None:
    async def main() -> timedelta:
        service = (await Client.connect(time_skipping_server.address)).test_service
        before = (await service.get_current_time(Empty())).time.ToDatetime()
        await service.unlock_time_skipping_with_sleep(SleepRequest(duration=Duration(seconds=3600)))
        return (await service.get_current_time(Empty())).time.ToDatetime() - before

    assert asyncio.run(main()) >= timedelta(hours=1)
