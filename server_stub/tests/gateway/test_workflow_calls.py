"""The Workflows service, call by call, over loopback: what it answers, what it refuses, and what a repeat does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from google.protobuf.message import Message
from rescind_proto.rescind.v1 import workflows_pb2 as wire

from rescind.errors import (
    AlreadyExists,
    ExecutionEnded,
    InvalidInput,
    NotAuthenticated,
    NotClaimed,
    NotFound,
    NotPermitted,
    PayloadTooLarge,
    RequestError,
    RescindError,
)
from rescind.transport.grpc_client import GrpcConnection
from rescind_server.access.tokens import Role
from rescind_server.app import Server
from rescind_server.gateway import grpc_workflows
from rescind_server.gateway.limits import Limits
from server_stub.tests.http.guarded import Guarded, guarded_server

pytestmark = pytest.mark.asyncio
START: Final = wire.StartWorkflowRequest(kind="order", execution_id="it")
CLAIM: Final = wire.ClaimWorkflowRequest(worker_id="w", queue="default")
HOLD: Final = wire.HoldWorkflowsRequest(worker_id="w", claims=[{"execution_id": "it", "claim": 1}])
PROMISE: Final = wire.WorkflowLogCommand(type="CREATE_PROMISE", data=b'{"promiseId":"it/ok","promiseName":"ok"}')


class Caller:
    """Somebody who calls."""

    def __init__(self, connection: GrpcConnection) -> None:
        self._connection = connection

    async def ask(self, name: str, request: Message) -> Any:
        """One call."""
        return await self._connection.call(name, request)

    async def log(self, execution_id: str = "it", after: int = 0) -> list[str]:
        """The types of the events behind one."""
        request = wire.GetLogRequest(execution_id=execution_id, after=after)
        return [event.type async for batch in self._connection.stream("GetLog", request) for event in batch.events]

    async def submit(self, claim: int, *commands: wire.WorkflowLogCommand, **fields: Any) -> Any:
        """The end of a pass over it."""
        told = {"execution_id": "it", "status": "SUSPENDED", "seen": 1, **fields}
        return await self.ask("SubmitWorkflow", wire.SubmitWorkflowRequest(claim=claim, commands=commands, **told))

    async def promising(self) -> int:
        """Let it exist, and wait for its promise; gives the number of the claim."""
        await self.ask("StartWorkflow", START)
        claim: int = (await self.ask("ClaimWorkflow", CLAIM)).claim
        await self.submit(claim, PROMISE)
        return claim


@pytest_asyncio.fixture
async def caller(server: Server) -> AsyncIterator[Caller]:
    async with GrpcConnection(server.address) as connection:
        yield Caller(connection)


@pytest_asyncio.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with guarded_server(tmp_path) as opened:
        yield opened


async def test_a_start_is_repeated_without_harm_and_its_id_is_of_no_other(caller: Caller) -> None:
    replies = [await caller.ask("StartWorkflow", START) for _ in range(2)]
    assert [(reply.execution_id, reply.created) for reply in replies] == [("it", True), ("it", False)]
    with pytest.raises(AlreadyExists, match="it"):
        await caller.ask("StartWorkflow", wire.StartWorkflowRequest(kind="other", execution_id="it"))


@pytest.mark.parametrize("far", [2**63 - 1, -(2**63)])
async def test_times_beyond_all_times_are_taken_and_the_server_lives(caller: Caller, far: int) -> None:
    start = wire.StartWorkflowRequest(kind="order", execution_id="it", timeout_ms=far, priority_ms=far)
    await caller.ask("StartWorkflow", start)
    assert (await caller.log())[0] == "WORKFLOW_STARTED"
    await caller.ask("StartWorkflow", START)


async def test_a_signal_starts_one_workflow_and_is_then_told_to_it(caller: Caller) -> None:
    start = wire.StartWorkflowRequest(kind="order", idempotency_key="key")
    request = wire.SignalWithStartRequest(start=start, name="go")
    first, second = [await caller.ask("SignalWithStart", request) for _ in range(2)]
    assert (first.created, second.created) == (True, False)
    assert await caller.log(first.execution_id) == ["WORKFLOW_STARTED", "SIGNAL_RECEIVED", "SIGNAL_RECEIVED"]
    assert second.execution_id == first.execution_id


async def test_a_promise_is_settled_once(caller: Caller) -> None:
    await caller.promising()
    request = wire.SettlePromiseRequest(promise="it/ok")
    assert [(await caller.ask("SettlePromise", request)).already for _ in range(2)] == [False, True]
    assert (await caller.log()).count("PROMISE_RESOLVED") == 1


async def test_a_promise_is_rejected(caller: Caller) -> None:
    await caller.promising()
    await caller.ask("SettlePromise", wire.SettlePromiseRequest(promise="it/ok", error="no"))
    assert (await caller.log())[-1] == "PROMISE_REJECTED"


async def test_a_log_is_read_behind_an_event(caller: Caller) -> None:
    await caller.promising()
    assert await caller.log() == ["WORKFLOW_STARTED", "PROMISE_CREATED"]
    assert await caller.log(after=1) == ["PROMISE_CREATED"]
    assert await caller.log(after=99) == []


async def test_a_claim_holds_what_a_pass_needs_and_is_given_once(caller: Caller) -> None:
    await caller.ask("StartWorkflow", START)
    first, second = [await caller.ask("ClaimWorkflow", CLAIM) for _ in range(2)]
    assert (first.execution_id, first.kind, first.sequence, first.claim) == ("it", "order", 1, 1)
    assert second.execution_id == ""


async def test_a_submission_is_repeated_without_harm(caller: Caller) -> None:
    claim = await caller.promising()
    assert (await caller.submit(claim, PROMISE)).sequence == 2
    assert len(await caller.log()) == 2


async def test_what_is_given_back_is_claimed_anew_and_the_old_claim_is_void(caller: Caller) -> None:
    await caller.ask("StartWorkflow", START)
    old = (await caller.ask("ClaimWorkflow", CLAIM)).claim
    for _ in range(2):
        await caller.ask("ReleaseWorkflow", wire.ReleaseWorkflowRequest(execution_id="it", claim=old))
    assert (await caller.ask("ClaimWorkflow", CLAIM)).claim == old + 1
    with pytest.raises(NotClaimed):
        await caller.submit(old, PROMISE)


async def test_a_claim_that_nobody_holds_ends_though_its_worker_polls_on(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_workflows, "PASS_CLAIM_MS", 100)
    await caller.ask("StartWorkflow", START)
    lost = (await caller.ask("ClaimWorkflow", CLAIM)).claim
    polling = wire.ClaimWorkflowRequest(worker_id="w", queue="default", wait_ms=10_000)
    assert (await caller.ask("ClaimWorkflow", polling)).claim == lost + 1
    with pytest.raises(NotClaimed):
        await caller.submit(lost, PROMISE)


async def test_a_claim_lasts_for_so_long_from_when_it_was_last_held(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await caller.ask("StartWorkflow", START)
    await caller.ask("ClaimWorkflow", CLAIM)
    monkeypatch.setattr(grpc_workflows, "PASS_CLAIM_MS", 100)
    await caller.ask("HoldWorkflows", HOLD)
    polling = wire.ClaimWorkflowRequest(worker_id="w", queue="default", wait_ms=10_000)
    assert (await caller.ask("ClaimWorkflow", polling)).claim == 2


async def test_a_workflow_that_failed_goes_on_by_hand(caller: Caller) -> None:
    await caller.ask("StartWorkflow", START)
    failed = wire.WorkflowLogCommand(type="FAIL_WORKFLOW", data=b'{"error":"it broke"}')
    await caller.submit((await caller.ask("ClaimWorkflow", CLAIM)).claim, failed, status="FAILED")
    request = wire.RetryWorkflowRequest(execution_id="it", reason="mended")
    assert (await caller.ask("RetryWorkflow", request)).attempt == 1
    assert (await caller.log())[-1] == "RETRY_REQUESTED"
    with pytest.raises(RequestError, match="it' is PENDING; only a FAILED one"):
        await caller.ask("RetryWorkflow", request)


NOBODY: Final = "nobody"
REFUSALS: Final[list[tuple[str, Message, type[RescindError]]]] = [
    ("StartWorkflow", wire.StartWorkflowRequest(), InvalidInput),
    ("StartWorkflow", wire.StartWorkflowRequest(kind="k" * 10_000), InvalidInput),
    ("StartWorkflow", wire.StartWorkflowRequest(kind="k", input={"data": b'"' + b"x" * 2_000 + b'"'}), PayloadTooLarge),
    ("SignalWithStart", wire.SignalWithStartRequest(start={"kind": "k"}, name="go"), InvalidInput),
    ("SettlePromise", wire.SettlePromiseRequest(promise=f"{NOBODY}/ok"), NotFound),
    ("SettlePromise", wire.SettlePromiseRequest(promise=NOBODY, by_key=True), NotFound),
    ("ClaimWorkflow", wire.ClaimWorkflowRequest(queue="default"), InvalidInput),
    ("ClaimWorkflow", wire.ClaimWorkflowRequest(worker_id="w", queue="q", cleanup_budgets_ms={"k": -1}), InvalidInput),
    ("SubmitWorkflow", wire.SubmitWorkflowRequest(execution_id=NOBODY, status="SUSPENDED"), NotFound),
    ("SubmitWorkflow", wire.SubmitWorkflowRequest(execution_id=NOBODY, status="WELL"), InvalidInput),
    ("ReleaseWorkflow", wire.ReleaseWorkflowRequest(execution_id=NOBODY), NotFound),
    ("HoldWorkflows", wire.HoldWorkflowsRequest(), InvalidInput),
    ("HoldWorkflows", wire.HoldWorkflowsRequest(worker_id="w", claims=[{}] * 10_001), InvalidInput),
    ("RetryWorkflow", wire.RetryWorkflowRequest(execution_id=NOBODY), NotFound),
    ("RetryWorkflow", wire.RetryWorkflowRequest(execution_id="it", reason="x" * 100_000), InvalidInput),
]


@pytest.mark.parametrize("limits", [Limits(payload=1_000)])
@pytest.mark.parametrize(("name", "request_", "error"), REFUSALS)
async def test_what_cannot_be_meant_is_refused(
    caller: Caller, name: str, request_: Message, error: type[RescindError]
) -> None:
    with pytest.raises(error):
        await caller.ask(name, request_)


async def test_there_is_no_log_of_nobody(caller: Caller) -> None:
    with pytest.raises(NotFound):
        await caller.log(NOBODY)


async def test_what_has_ended_takes_no_value(caller: Caller) -> None:
    await caller.ask("StartWorkflow", START)
    claim = (await caller.ask("ClaimWorkflow", CLAIM)).claim
    done = wire.WorkflowLogCommand(type="COMPLETE_WORKFLOW", data=b"{}")
    await caller.submit(claim, PROMISE, done, status="COMPLETED")
    with pytest.raises((ExecutionEnded, NotFound)):
        await caller.ask("SettlePromise", wire.SettlePromiseRequest(promise="it/ok"))


CALLS: Final[Mapping[str, Message]] = {
    "StartWorkflow": START,
    "SignalWithStart": wire.SignalWithStartRequest(start={"kind": "k", "idempotency_key": "key"}, name="go"),
    "SettlePromise": wire.SettlePromiseRequest(promise="it/ok"),
    "ClaimWorkflow": CLAIM,
    "SubmitWorkflow": wire.SubmitWorkflowRequest(execution_id="it", status="SUSPENDED"),
    "ReleaseWorkflow": wire.ReleaseWorkflowRequest(execution_id="it"),
    "HoldWorkflows": HOLD,
    "RetryWorkflow": wire.RetryWorkflowRequest(execution_id="it"),
}
OF_WORKERS: Final = {"ClaimWorkflow", "SubmitWorkflow", "ReleaseWorkflow", "HoldWorkflows"}


@pytest.mark.parametrize(
    ("role", "forbidden"),
    [(Role.VIEWER, set(CALLS)), (Role.CLIENT, OF_WORKERS), (Role.WORKER, {"RetryWorkflow"}), (Role.OPERATOR, set())],
)
async def test_each_role_may_call_what_is_its_own(guarded: Guarded, role: Role, forbidden: set[str]) -> None:
    async with GrpcConnection(guarded.server.address, token=guarded.token("somebody", role)) as connection:
        refused = set()
        for name, request in CALLS.items():
            try:
                await connection.call(name, request)
            except NotPermitted:
                refused.add(name)
            except RescindError:
                pass  # it may call, and asks for what there is not
    assert refused == forbidden


@pytest.mark.parametrize("name", CALLS)
async def test_nobody_calls_without_a_token(guarded: Guarded, name: str) -> None:
    async with GrpcConnection(guarded.server.address) as connection:
        with pytest.raises(NotAuthenticated):
            await connection.call(name, CALLS[name])


async def test_a_key_or_an_id_leads_no_stranger_to_what_a_client_has_started(guarded: Guarded) -> None:
    keyed = wire.StartWorkflowRequest(kind="order", idempotency_key="key")
    signalling = wire.SignalWithStartRequest(start=keyed, name="go")
    calls = {"StartWorkflow": (START, keyed), "SignalWithStart": (signalling,)}
    async with (
        GrpcConnection(guarded.server.address, token=guarded.token("web", Role.CLIENT)) as web,
        GrpcConnection(guarded.server.address, token=guarded.token("other", Role.CLIENT)) as other,
    ):
        own = {(await web.call(name, request)).execution_id for name in calls for request in calls[name]}
        for name in calls:
            for request in calls[name]:
                with pytest.raises(AlreadyExists) as refusal:
                    await other.call(name, request)
                assert not any(execution_id in str(refusal.value) for execution_id in own - {"it"})
                assert (await web.call(name, request)).execution_id in own
        (keyed_id,) = own - {"it"}
        assert (await Caller(web).log(keyed_id)).count("SIGNAL_RECEIVED") == 2


async def test_a_promise_is_settled_by_any_client_of_its_organisation_that_knows_its_name(guarded: Guarded) -> None:
    async with (
        GrpcConnection(guarded.server.address, token=guarded.token("ops", Role.OPERATOR)) as ops,
        GrpcConnection(guarded.server.address, token=guarded.token("approver", Role.CLIENT)) as approver,
    ):
        await Caller(ops).promising()
        assert not (await approver.call("SettlePromise", CALLS["SettlePromise"])).already
        with pytest.raises(NotFound):
            await Caller(approver).log()


async def test_a_viewer_reads_a_log_and_another_organisation_sees_nothing(guarded: Guarded) -> None:
    address = guarded.server.address
    async with (
        GrpcConnection(address, token=guarded.token("web", Role.CLIENT)) as web,
        GrpcConnection(address, token=guarded.token("eye", Role.VIEWER)) as eye,
        GrpcConnection(address, token=guarded.token("spy", Role.OPERATOR, "acme")) as spy,
    ):
        await web.call("StartWorkflow", START)
        assert await Caller(eye).log() == ["WORKFLOW_STARTED"]
        with pytest.raises(NotFound):
            await Caller(spy).log()
        assert (await spy.call("ClaimWorkflow", CLAIM)).execution_id == ""
        for name in ("SubmitWorkflow", "ReleaseWorkflow", "SettlePromise"):
            with pytest.raises(NotFound):
                await spy.call(name, CALLS[name])
