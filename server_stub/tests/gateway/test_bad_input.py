"""What should never come, and does: each is a clear error, said once, and the server serves on."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
import msgspec
import pytest
from rescind_proto.rescind.v1 import client_pb2, values_pb2, worker_pb2

from rescind import AlreadyExists, InvalidInput, PayloadTooLarge, RequestError, ServerUnavailable
from rescind.client.connecting import Client
from rescind.errors import OutcomeError, RescindError
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import Lease, TaskId, WorkerId
from rescind.model.messages import AgentKind, StopOrder, WorkerAlive, WorkerJoined
from rescind.model.payload import Payload
from rescind.transport.conversion.pairs import to_message
from rescind.transport.grpc_client import GrpcConnection
from rescind.transport.grpc_errors import ERROR_NAME, error_of
from rescind.transport.grpc_session import GrpcSession
from rescind.worker.connecting import Worker
from rescind_server.app import Server
from rescind_server.gateway.limits import Limits

from .work import AGENTS, TASKS, eventually, growing, patient

pytestmark = pytest.mark.asyncio
JOINED = WorkerJoined(WorkerId("w-1"), 1, ("default",))


def message(value: Any) -> worker_pb2.WorkerMessage:
    from rescind.model.messages import FromWorker  # noqa: PLC0415 - keeps the names above to what tests speak of

    made: worker_pb2.WorkerMessage = to_message(value, FromWorker)
    return made


def hello(*messages: Any, version: int = 1, instance: str = "one") -> bytes:
    greeting = worker_pb2.Hello(protocol_version=version, instance=instance, sdk="test/0")
    return worker_pb2.WorkerBatch(hello=greeting, messages=[message(each) for each in messages]).SerializeToString()


def endless_clean_up() -> AgentKind:
    # Checked where it is made: only the bytes of a stranger can say this.
    kind = AgentKind("agent")
    msgspec.structs.force_setattr(kind, "cleanup_budget_ms", 2**62)
    return kind


async def session_with(server: Server, *batches: bytes, ends: bool = True) -> RescindError | None:
    """Send these batches in one session; returns the error that it ended with."""
    async with GrpcConnection(server.address) as connection:
        call = connection.open_session()
        try:
            for batch in batches:
                await call.write(batch)
            if ends:
                await call.done_writing()
            async for _ in call:
                pass
        except grpc.RpcError as failure:
            return error_of(failure, server.address)
        except asyncio.InvalidStateError:
            return error_of(await _status(call), server.address)
    return None


async def _status(call: Any) -> Any:
    try:
        await call.read()
    except grpc.RpcError as failure:
        return failure
    raise AssertionError("the call was not refused")


def session_of(server: Server, worker_id: str) -> Any:
    """The open session of a worker."""
    assert server._workers is not None
    return server._workers._sessions[WorkerId(worker_id)]


async def serves_on(client: Client) -> None:
    handle = await client.start(patient)
    assert (await handle.describe()).status == "PENDING"


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


SESSIONS = {
    "garbage": ([b"\xff\xfe garbage"], InvalidInput, "bytes that are no rescind.v1.WorkerBatch"),
    "no hello": ([worker_pb2.WorkerBatch(messages=[message(JOINED)]).SerializeToString()], InvalidInput, "no hello"),
    "another version": ([hello(JOINED, version=7)], RequestError, "speaks version 7 .* speaks version 1"),
    "no join": ([hello(WorkerAlive(WorkerId("w-1")))], InvalidInput, "first message is not WorkerJoined"),
    "nothing at all": ([], InvalidInput, "ended before it said hello"),
    "hello twice": ([hello(JOINED), hello()], InvalidInput, "said hello twice"),
    "for another": (
        [hello(JOINED, WorkerAlive(WorkerId("w-2")))],
        InvalidInput,
        "worker 'w-1' speaks for worker 'w-2'",
    ),
    "unknown kind": ([hello(JOINED), b"\x12\x03\xa2\x06\x00"], InvalidInput, "WorkerMessage: unknown kind"),
    "unknown enum": (
        [
            hello(JOINED),
            worker_pb2.WorkerBatch(messages=[{"stop_reported": {"lease": 1, "state": 77}}]).SerializeToString(),
        ],
        InvalidInput,
        "StopReported.state: unknown kind 77",
    ),
    "an endless clean-up": (
        [hello(WorkerJoined(WorkerId("w-1"), 1, ("default",), (endless_clean_up(),)))],
        InvalidInput,
        "cleanup_budget_ms is 4611686018427387904",
    ),
    "no id": ([hello(WorkerJoined(WorkerId(""), 1, ("default",)))], InvalidInput, "the worker's id is empty"),
}


@pytest.mark.parametrize("name", SESSIONS)
async def test_a_session_that_makes_no_sense_is_refused(
    name: str, server: Server, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    batches, error_class, text = SESSIONS[name]
    error = await session_with(server, *batches)
    assert type(error) is error_class
    with pytest.raises(error_class, match=text):
        raise error
    assert len(warnings_of(caplog)) == 1, "said once"
    await serves_on(client)


@pytest.mark.parametrize("limits", [Limits(hello_s=0.05)])
async def test_a_session_that_never_says_hello_is_ended(
    server: Server, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    error = await session_with(server, ends=False)
    assert isinstance(error, ServerUnavailable)
    assert "no hello came within 0.05 s" in str(error)
    assert len(warnings_of(caplog)) == 1, "said once"
    await serves_on(client)


@pytest.mark.parametrize("limits", [Limits(message=1_000)])
async def test_a_message_above_the_limit_is_refused_by_name_and_said_once(
    server: Server, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(PayloadTooLarge, match="has 1500 bytes; this server takes messages of 1000"):
        await raw_call(server, "Start", b"x" * 1_500)
    assert len(warnings_of(caplog)) == 1, "said once"
    caplog.clear()
    error = await session_with(server, b"x" * 1_500)
    assert isinstance(error, PayloadTooLarge)
    assert "has 1500 bytes" in str(error)
    assert len(warnings_of(caplog)) == 1, "said once"
    await serves_on(client)


async def test_a_session_number_that_is_not_new_is_refused(server: Server) -> None:
    async with GrpcConnection(server.address) as connection:
        first = connection.open_session()
        await first.write(hello(JOINED))
        await first.read()
        error = await session_with(server, hello(JOINED))
        assert isinstance(error, InvalidInput)
        first.cancel()


async def test_two_workers_of_one_id_do_not_share_it(server: Server, client: Client) -> None:
    async with Worker(server.address, agents=AGENTS, tasks=TASKS, worker_id="w-1"):
        second = Worker(server.address, agents=AGENTS, tasks=TASKS, worker_id="w-1", silence_ms=60)
        with pytest.raises(AlreadyExists, match="another worker with the id 'w-1' is connected"):
            await second.run()
        handle = await client.start(patient)
        await handle.signal("go", "the first one goes on")
        assert await handle.result() == "the first one goes on"


async def test_two_workers_of_one_id_are_told_of_once_however_often_the_second_tries(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with GrpcConnection(server.address) as connection:
        first = connection.open_session()
        await first.write(hello(JOINED))
        await first.read()
        for attempt in (2, 3, 4):
            joining = WorkerJoined(WorkerId("w-1"), attempt, ("default",))
            assert isinstance(await session_with(server, hello(joining, instance="another")), AlreadyExists)
        first.cancel()
    said = [record.getMessage() for record in caplog.records if record.name.startswith("rescind_server")]
    assert len(said) == 1
    assert said[0].startswith("two workers with the id 'w-1': the one at ")


async def test_a_worker_that_says_nothing_for_too_long_is_told_that_its_session_is_over(server: Server) -> None:
    async with GrpcConnection(server.address) as connection:
        call = connection.open_session()
        await call.write(hello(WorkerJoined(WorkerId("w-1"), 1, ("default",), silence_ms=50)))
        await call.read()
        failure = await _status(call)
        assert failure.code() is grpc.StatusCode.UNAVAILABLE
        assert "worker 'w-1' said nothing for too long" in failure.details()
        await eventually(lambda: not server._workers._sessions)  # type: ignore[union-attr]


async def test_a_worker_that_comes_back_takes_the_place_of_its_own_dead_session(server: Server) -> None:
    async with GrpcConnection(server.address) as connection:
        first, second = connection.open_session(), connection.open_session()
        await first.write(hello(JOINED))
        await first.read()
        await second.write(hello(WorkerJoined(WorkerId("w-1"), 2, ("default",))))
        await second.read()
        assert "took the place" in (await _status(first)).details()
        second.cancel()


async def bytes_at(address: str, sent: bytes) -> bytes:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    writer.write_eof()
    try:
        async with asyncio.timeout(10.0):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(random.Random(1).randbytes(4_096), id="garbage"),
        pytest.param(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", id="an HTTP/1 client"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + random.Random(2).randbytes(512), id="broken HTTP/2"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="a TLS client"),
    ],
)
async def test_bytes_of_another_protocol_end_their_connection_alone(
    sent: bytes, server: Server, client: Client
) -> None:
    await bytes_at(server.address, sent)
    await serves_on(client)


async def raw_call(server: Server, name: str, data: bytes, **options: Any) -> bytes:
    async with grpc.aio.insecure_channel(server.address, options=[("grpc.max_send_message_length", -1)]) as channel:
        try:
            reply: bytes = await channel.unary_unary(f"/rescind.v1.Client/{name}")(data, **options)
            return reply
        except grpc.aio.AioRpcError as failure:
            raise error_of(failure, server.address) from failure


@pytest.mark.parametrize("name", ["Start", "StartMany", "Get", "List", "Signal", "CancelExecution", "CancelTask"])
async def test_garbage_in_a_call_is_an_invalid_input(name: str, server: Server, client: Client) -> None:
    with pytest.raises(InvalidInput, match="bytes that are no rescind"):
        await raw_call(server, name, b"\xff\xff\xff")
    await serves_on(client)


REQUESTS: dict[str, tuple[str, Callable[[], Any], str]] = {
    "no kind": ("Start", client_pb2.StartRequest, "the agent's kind is empty"),
    "empty id": ("Start", lambda: client_pb2.StartRequest(kind="k", execution_id=""), "the execution's id is empty"),
    "long id": (
        "Start",
        lambda: client_pb2.StartRequest(kind="k", execution_id="x" * 2_000),
        "the execution's id has 2000 characters",
    ),
    "no queue": ("Start", lambda: client_pb2.StartRequest(kind="k", queue=""), "the queue's name is empty"),
    "unknown mode": (
        "CancelTask",
        lambda: client_pb2.CancelTaskRequest(mode=9),  # type: ignore[arg-type]
        r"CancelTaskRequest\.mode: unknown kind 9",
    ),
    "unknown status": (
        "List",
        lambda: client_pb2.ListRequest(filter={"statuses": [42]}),
        r"ExecutionFilter\.statuses: unknown kind 42",
    ),
    "page size": ("List", lambda: client_pb2.ListRequest(page_size=0), "page_size is 0"),
    "page token": ("List", lambda: client_pb2.ListRequest(page_token="1 or 1"), "is no page token"),
    "no signal name": ("Signal", client_pb2.SignalRequest, "the signal's name is empty"),
}


@pytest.mark.parametrize("case", REQUESTS)
async def test_a_request_that_cannot_be_meant_says_what_is_wrong(case: str, server: Server) -> None:
    name, make, text = REQUESTS[case]
    with pytest.raises(InvalidInput, match=text):
        await raw_call(server, name, make().SerializeToString())


async def test_cancel_where_without_a_target_cancels_nothing(server: Server) -> None:
    async with GrpcConnection(server.address) as connection:
        with pytest.raises(InvalidInput, match="Set `executions` or `tasks`"):
            async for _ in connection.stream("CancelWhere", client_pb2.CancelWhereRequest()):
                pass


async def test_errors_carry_their_name_and_code(server: Server) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary("/rescind.v1.Client/Get")(
                client_pb2.GetRequest(execution_id="x").SerializeToString()
            )
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert dict(raised.value.trailing_metadata() or ())[ERROR_NAME] == "NotFound"


@pytest.mark.parametrize("size", [5, 100], ids=["5 MiB", "100 MiB"])
async def test_a_payload_above_the_limit_is_refused(size: int, server: Server, client: Client) -> None:
    request = client_pb2.StartRequest(kind="k", input=values_pb2.Payload(data=b"1" * (size * 1024 * 1024)))
    with pytest.raises(PayloadTooLarge):
        await raw_call(server, "Start", request.SerializeToString())
    await serves_on(client)


@pytest.mark.parametrize("limits", [Limits(payload=1_000)])
@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("result", "the output of task .* has 2002 bytes; this server takes 1000"),
        ("input", "the input of a task 'echo' of execution .* has 2002 bytes"),
        ("output", "the output of execution .* has 2002 bytes"),
    ],
)
async def test_what_is_above_the_servers_limit_fails_its_work_and_not_the_session(
    where: str, text: str, server: Server, client: Client
) -> None:
    async with Worker(server.address, agents=AGENTS, tasks=TASKS, worker_id="w-1"):
        session = session_of(server, "w-1")
        handle = await client.start(growing, where)
        with pytest.raises(OutcomeError, match=text):
            await handle.result()
        assert session_of(server, "w-1") is session


@pytest.mark.parametrize("limits", [Limits(payload=1_000)])
async def test_a_signal_above_the_servers_limit_is_refused(server: Server, client: Client) -> None:
    handle = await client.start(patient)
    with pytest.raises(PayloadTooLarge, match=r"signal 'go' has 2002 bytes; this server takes 1000"):
        await handle.signal("go", "x" * 2_000)


@pytest.mark.parametrize("limits", [Limits(unread=100_000, stall_s=0.2)])
async def test_a_worker_that_does_not_read_is_cut(server: Server) -> None:
    async with GrpcConnection(server.address, options=[("grpc.http2.lookahead_bytes", 1)]) as connection:
        call = connection.open_session()
        await call.write(hello(JOINED))
        await call.read()
        order = StopOrder(TaskId("t"), Lease(1), CancelCause(CancelSource.REQUEST, reason="x" * 10_000))
        session = session_of(server, "w-1")
        for _ in range(100):
            session.deliver([order] * 10)
        await eventually(lambda: session.ended_by is not None)
        call.cancel()


async def test_a_session_ends_where_the_server_is_of_another_kind() -> None:
    other = grpc.aio.server()
    port = other.add_insecure_port("127.0.0.1:0")
    await other.start()
    try:
        async with GrpcConnection(f"127.0.0.1:{port}") as connection:
            session = GrpcSession(connection, instance="i", sdk="test/0")
            session.open(lambda _: None)
            session.send(JOINED)
            error = await session.ended()
            assert isinstance(error, RequestError)
            assert "no Rescind server" in str(error)
    finally:
        await other.stop(None)


async def test_a_call_that_its_caller_leaves_is_cancelled_on_the_server(server: Server, client: Client) -> None:
    handle = await client.start(patient)
    waiting = asyncio.create_task(handle.result())
    subscriptions = server.host.watchers._subscriptions
    await eventually(lambda: handle.id in subscriptions)
    waiting.cancel()
    await eventually(lambda: handle.id not in subscriptions)


async def test_a_call_with_a_deadline_ends_there(server: Server, client: Client) -> None:
    handle = await client.start(patient)
    request = client_pb2.WaitEndedRequest(execution_id=handle.id)
    with pytest.raises(ServerUnavailable, match="did not answer in time"):
        await raw_call(server, "WaitEnded", request.SerializeToString(), timeout=0.05)
    assert Payload(b"null") == (await handle.describe()).input
