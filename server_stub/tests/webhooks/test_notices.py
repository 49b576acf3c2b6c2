"""What webhooks are told: which events, of which executions, and in which words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rescind.model.ids import Instant
from rescind.model.messages import StopReported, TaskReported
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.payload import Payload
from rescind.model.status import StopState
from rescind.model.webhooks import DEFAULT_EVENTS, WebhookEvent
from rescind_server.store.memory import MemoryStore
from rescind_server.store.outbox import Delivery, Secret, Webhook
from rescind_server.webhooks import notices
from rescind_server.webhooks.registry import Registry
from rescind_server.webhooks.signing import new_secret
from server_stub.tests.engine.driver import Stage

pytestmark = pytest.mark.rescind

ONE_ATTEMPT = TaskOptions(retry=RetryPolicy(max_attempts=1))
ALL = tuple(event.value for event in WebhookEvent if event is not WebhookEvent.PING)


def a_webhook(webhook_id: str = "wh_1", *, organisation: str = "default", **options: Any) -> Webhook:
    chosen = {"events": ALL, "secrets": (Secret(new_secret()),), **options}
    return Webhook(webhook_id, organisation, "https://example.com/", created_by="ops", created_at=Instant(1), **chosen)


async def told(stage: Stage, *webhooks: Webhook) -> list[Delivery]:
    registry = Registry(MemoryStore().outbox, lambda name: name.rpartition("/")[2])
    for each in webhooks or (a_webhook(),):
        await registry.add(each)
    return list(registry.told(stage.decisions))


def data_of(delivery: Delivery) -> dict[str, Any]:
    body = msgspec.json.decode(delivery.body)
    assert set(body) == {"type", "timestamp", "data"}
    assert body["type"] == delivery.event
    data: dict[str, Any] = body["data"]
    return data


def with_all_ends() -> Stage:
    stage = Stage()
    agent = stage.start()
    completed, failed, cancelled = agent.schedule(3, options=ONE_ATTEMPT)
    stage.complete(completed)
    stage.fail(failed)
    stage.cancel(cancelled)
    lease = stage.activations[cancelled][-1].lease
    stage.decide(StopReported(cancelled, lease, StopState.KILLED, executor="shell"))
    agent.end()
    return stage


async def test_every_end_and_every_cancel_is_told_once_in_the_order_of_the_history() -> None:
    deliveries = await told(with_all_ends())
    assert [each.event for each in deliveries] == [
        "task.completed",
        "task.failed",
        "task.cancel_requested",
        "task.cancelled",
        "task.killed",
        "execution.completed",
    ]
    sequences = [data_of(each)["sequence"] for each in deliveries]
    assert sequences == sorted(sequences)
    assert len({each.delivery_id for each in deliveries}) == len(deliveries)


async def test_a_cancel_is_told_with_its_cause_and_what_it_was_answered() -> None:
    stage = with_all_ends()
    asked, cancelled, killed = (data_of(each) for each in (await told(stage))[2:5])
    cause = {"source": "request", "by": "client:test", "reason": "no longer needed"}
    assert (asked["cause"], asked["result"]) == (cause, "CANCELLED")
    assert (cancelled["status"], cancelled["cause"]) == ("CANCELLED", cause)
    assert (killed["stop_state"], killed["executor"], killed["cause"]) == ("KILLED", "shell", cause)
    assert {each["task_kind"] for each in (asked, cancelled, killed)} == {"work"}
    assert "status" not in asked


async def test_a_cancel_that_comes_when_all_is_over_is_told_as_such() -> None:
    stage = Stage()
    stage.start().end()
    assert not stage.is_in_memory()
    stage.cancel_agent()
    *_, late = await told(stage)
    assert (late.event, data_of(late)["result"]) == ("execution.cancel_requested", "ALREADY_COMPLETED")


async def test_results_and_texts_of_failures_are_told_only_where_that_was_asked_for() -> None:
    stage = with_all_ends()
    plain = [each.body for each in await told(stage)]
    assert not any(b"it broke" in body or b'"output"' in body for body in plain)
    completed, failed, *_ = map(data_of, await told(stage, a_webhook(with_result=True)))
    assert "output" in completed
    assert failed["failure"] == {"kind": "ERROR", "error_type": "ValueError", "message": "it broke"}
    assert data_of((await told(stage))[1])["failure"] == {"kind": "ERROR", "error_type": "ValueError"}


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (Payload(b'{"a":1}'), {"output": {"a": 1}}),
        (Payload(b"\xff", "json"), {"output": {"encoding": "json", "base64": "/w=="}}),
        (Payload(b"a", "text"), {"output": {"encoding": "text", "base64": "YQ=="}}),
        (Payload(b"1" * (notices.LARGEST_RESULT + 1)), {"output_bytes": notices.LARGEST_RESULT + 1}),
    ],
)
async def test_a_result_is_told_as_json_or_as_bytes_and_one_that_is_too_large_by_its_size(
    output: Payload, shown: dict[str, Any]
) -> None:
    stage = Stage()
    agent = stage.start()
    (task_id,) = agent.schedule()
    stage.decide(TaskReported(task_id, stage.lease(task_id), output))
    (delivery,) = await told(stage, a_webhook(with_result=True, events=("task.completed",)))
    assert shown.items() <= data_of(delivery).items()


async def test_a_webhook_is_told_what_it_asked_for_and_no_more() -> None:
    stage = with_all_ends()
    by_event = a_webhook("by-event", events=("execution.completed",))
    by_kind = a_webhook("by-kind", kinds=("other",))
    by_label = a_webhook("by-label", labels={"team": "a"})
    elsewhere = a_webhook("elsewhere", organisation="elsewhere")
    disabled = a_webhook("disabled", disabled="it answered 410 Gone")
    deliveries = await told(stage, by_event, by_kind, by_label, elsewhere, disabled)
    assert [(each.webhook_id, each.event) for each in deliveries] == [("by-event", "execution.completed")]


async def test_two_webhooks_are_told_the_same_under_two_ids() -> None:
    first, second = await told(
        with_all_ends(), *(a_webhook(name, events=("execution.completed",)) for name in ("one", "two"))
    )
    assert first.body == second.body
    assert first.delivery_id != second.delivery_id


async def test_without_an_enabled_webhook_commits_are_not_asked() -> None:
    registry = Registry(MemoryStore().outbox, str)
    assert registry.outbox.told is None
    await registry.add(a_webhook())
    assert registry.outbox.told == registry.told
    await registry.change("wh_1", lambda each: msgspec.structs.replace(each, disabled="gone"))
    assert registry.outbox.told is None
    await registry.change("wh_1", lambda each: msgspec.structs.replace(each, disabled=None))
    await registry.remove("wh_1")
    assert registry.outbox.told is None


async def test_a_fault_in_telling_does_not_reach_the_commit(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> bytes:
        raise ValueError("no words")

    monkeypatch.setattr("rescind_server.webhooks.registry.body_of", broken)
    assert await told(with_all_ends()) == []
    assert "webhooks are not told of event" in caplog.text


async def test_ends_of_tasks_that_nobody_cancelled_are_told_only_when_asked_for() -> None:
    assert {*WebhookEvent} - {*DEFAULT_EVENTS} == {"task.completed", "task.failed", "webhook.ping"}
