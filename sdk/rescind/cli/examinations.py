"""What `rescind doctor` looks at: each check gives one finding, and says what to do."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from rescind.cli.listings_view import runs_in_words
from rescind.cli.times import age_in_words, counted
from rescind.errors import NotPermitted, RescindError, ServerUnavailable
from rescind.model.ids import Instant
from rescind.model.overviews import STUCK_ADVICE, ServerFacts, Stuck, StuckReason, StuckTask, WaitingWork, WorkerView
from rescind.model.webhooks import WebhookView

if TYPE_CHECKING:
    from rescind.client.connecting import Client
    from rescind.temporal import TemporalClient

_SECOND: Final = 1_000_000
_SMALL_SKEW: Final = 1 * _SECOND
_LARGE_SKEW: Final = 30 * _SECOND
_LITTLE_ROOM: Final = 1024**3
_NO_ROOM: Final = 64 * 1024**2
_MEBIBYTE: Final = 1024**2
_PATIENCE: Final = 10 * _SECOND
"""How long work may wait for a worker before somebody should look."""
_QUIET_MS: Final = 60 * 60 * 1_000
"""How long a running task may be without a sign of life before somebody should look."""
_MOST_NAMED: Final = 3
_ANY_KIND: Final = "*"


class Level(StrEnum):
    """How a finding is meant."""

    OK = "ok"
    WARN = "warn"
    """Works, and may be meant so."""
    FAIL = "fail"
    """Somebody must do something."""


class Finding(NamedTuple):
    """What a check found.

    Attributes:
        check: what was looked at.
        level: how it is meant.
        message: what was found.
        advice: what to do; "" where there is nothing to do.
    """

    check: str
    level: Level
    message: str
    advice: str = ""


class Look(NamedTuple):
    """What is said of the tasks that are stuck for one reason.

    Attributes:
        check: what was looked at.
        level: how it is meant if there are such.
        all_well: what is said if there are none.
        trouble: what is wrong with them.
    """

    check: str
    level: Level
    all_well: str
    trouble: str


_LOOKS: Final = {
    StuckReason.NOT_STOPPED: Look(
        "stops",
        Level.FAIL,
        "Everything that was cancelled has stopped, or is within its grace.",
        "Past its grace, and still at work",
    ),
    StuckReason.NOT_ACKNOWLEDGED: Look(
        "orders",
        Level.FAIL,
        "Every worker that was told to stop something has said that it knows.",
        "Told to stop, and not acknowledged",
    ),
    StuckReason.STOP_WAITS: Look(
        "offline",
        Level.WARN,
        "No order to stop waits for a worker to come back.",
        "To be stopped, on a worker that is not connected",
    ),
    StuckReason.NO_HEARTBEAT: Look(
        "signs",
        Level.WARN,
        "Every running task has given a sign of life within the last hour.",
        "Running, and without a sign of life for an hour",
    ),
    StuckReason.WORKER_AWAY: Look(
        "contact",
        Level.WARN,
        "Every running task's worker is connected.",
        "On a worker that is not connected",
    ),
}
# The others are a matter of sessions and orders, which are Temporal's there.
_LOOKS_AT_CLUSTERS: Final = {reason: _LOOKS[reason] for reason in (StuckReason.NOT_STOPPED, StuckReason.NO_HEARTBEAT)}


async def examine(client: Client) -> list[Finding]:
    """Look at a server, from its address to its stuck tasks; a check that cannot be made ends the list.

    Raises:
        ServerUnavailable: the server cannot be reached.
    """
    asked_at = _now()
    try:
        facts = await client.server_facts()
    except NotPermitted as error:
        return [
            Finding("address", Level.OK, f"{client.address} answers."),
            Finding("access", Level.FAIL, str(error), "Give an operator's token: --token, or RESCIND_TOKEN."),
        ]
    answered_at = _now()
    findings = [
        _address(client.address, facts),
        Finding("access", Level.OK, "This caller may ask what an operator may."),
        _clock(facts, Instant((asked_at + answered_at) // 2)),
        _store(facts),
    ]
    try:
        stuck = await client.stuck(limit=1_000, quiet_ms=_QUIET_MS)
        workers = [worker async for worker in client.workers()]
        webhooks = await client.webhooks.all()
    except ServerUnavailable:
        raise
    except RescindError as error:
        # The store takes no commits: what the engine remembers need not be durable, and is not told.
        return [*findings, Finding("work", Level.FAIL, str(error), "Mend the store first.")]
    return [*findings, _workers(facts, workers), *_work(stuck, facts), _webhooks(webhooks)]


async def examine_cluster(client: TemporalClient) -> list[Finding]:
    """Look at a Temporal cluster: what it tells of itself, of its workers, and of the work that does not go on.

    It tells of fewer things than a server does: those that it cannot know are left out.

    Raises:
        ServerUnavailable: the cluster cannot be reached.
        NotPermitted: the caller may not ask.
    """
    facts = await client.server_facts()
    stuck = await client.stuck(limit=1_000, quiet_ms=_QUIET_MS)
    namespace = client.port.client.namespace
    return [
        Finding("address", Level.OK, f"{client.address} answers: {facts.version}, namespace {namespace!r}."),
        Finding("store", Level.OK, f"The cluster's own: {facts.store}. How durable that is, its operators know."),
        _labels(is_indexed=client.port.finds_labels),
        _pollers(facts),
        *_work(stuck, facts, _LOOKS_AT_CLUSTERS),
    ]


def _pollers(facts: ServerFacts) -> Finding:
    count, queued = facts.connected_workers, counted(facts.queued_tasks, "task")
    message = f"Queues of open executions are polled by {counted(count, 'worker')}; queued: {queued}."
    if facts.open_executions and not count:
        return Finding("workers", Level.WARN, message, "Start one: rescind worker MODULE --temporal.")
    return Finding("workers", Level.OK, message)


def _labels(*, is_indexed: bool) -> Finding:
    if is_indexed:
        return Finding("labels", Level.OK, "Executions are found by their labels.")
    return Finding(
        "labels",
        Level.WARN,
        "The namespace has no search attribute for labels, or only since a moment: all executions are looked through.",
        "If this stays: temporal operator search-attribute create --name RescindLabels --type KeywordList.",
    )


def _address(address: str, facts: ServerFacts) -> Finding:
    age = age_in_words(facts.now - facts.started_at)
    return Finding("address", Level.OK, f"{address} answers: Rescind {facts.version}, up for {age}.")


def _clock(facts: ServerFacts, here: Instant) -> Finding:
    skew = facts.now - here
    if abs(skew) < _SMALL_SKEW:
        return Finding("clock", Level.OK, "The server's clock and this one agree.")
    message = f"The server's clock is {abs(skew) / _SECOND:.1f} s {'ahead of' if skew > 0 else 'behind'} this one."
    level = Level.FAIL if abs(skew) >= _LARGE_SKEW else Level.WARN
    return Finding("clock", level, message, "Set both by one time server: ages and deadlines are read by them.")


def _store(facts: ServerFacts) -> Finding:
    if facts.store_problem is not None:
        return Finding("store", Level.FAIL, facts.store_problem, "See the server's log. What was answered is not lost.")
    if facts.store_path is None:
        return Finding("store", Level.WARN, "Everything is kept in memory.", "To keep it: rescind server --store FILE.")
    size = f", {facts.store_bytes / _MEBIBYTE:,.1f} MiB" if facts.store_bytes is not None else ""
    kept = f"{facts.store_path}{size}, with durability {facts.durability}"
    free = facts.store_free_bytes
    if free is not None and free < _LITTLE_ROOM:
        level = Level.FAIL if free < _NO_ROOM else Level.WARN
        return Finding("store", level, f"{kept}; {free / _MEBIBYTE:,.0f} MiB are free.", "Make room on its disk.")
    if facts.durability == "off":
        return Finding("store", Level.WARN, f"{kept}: a loss of power may spoil it.", "Use --durability full.")
    return Finding("store", Level.OK, f"{kept}.")


def _workers(facts: ServerFacts, workers: list[WorkerView]) -> Finding:
    present = [worker for worker in workers if worker.connected or worker.polls]
    polling = sum(worker.polls for worker in present)
    away = len(workers) - len(present)
    message = f"{len(present) - polling} connected"
    message += (f", {polling} polling" if polling else "") + (f", {away} away" if away else "")
    message += (
        f"; at work: {counted(facts.running_attempts, 'attempt')}; queued: {counted(facts.queued_tasks, 'task')}."
    )
    runs = runs_in_words(present)
    message += f" They run {runs}." if runs else ""
    if not present:
        return Finding("workers", Level.WARN, message, "Start one: rescind worker MODULE.")
    return Finding("workers", Level.OK, message)


def _work(stuck: Stuck, facts: ServerFacts, looks: Mapping[StuckReason, Look] = _LOOKS) -> Iterator[Finding]:
    for reason, look in looks.items():
        found = [each for each in stuck.tasks if each.reason is reason]
        if not found:
            yield Finding(look.check, Level.OK, look.all_well)
        else:
            message = f"{look.trouble}: {counted(len(found), 'task')}: {_named(found)}."
            yield Finding(look.check, look.level, message, STUCK_ADVICE[reason])
    yield _waiting([each for each in stuck.waiting if not each.workers], facts.now)
    yield (
        Finding("parked", Level.OK, "No agent waits for another deployment.")
        if not stuck.parked
        else Finding(
            "parked",
            Level.FAIL,
            "; ".join(f"{each.count} of {each.kind!r}, as {each.execution_id}: {each.reason}" for each in stuck.parked),
            "Deploy code that can go on from their journals, or cancel them.",
        )
    )


def _webhooks(webhooks: list[WebhookView]) -> Finding:
    disabled = [each for each in webhooks if each.disabled is not None]
    dead = [each for each in webhooks if each.dead]
    if not disabled and not dead:
        told = "No webhook is asked for." if not webhooks else f"{counted(len(webhooks), 'webhook')}: all are told."
        return Finding("webhooks", Level.OK, told)
    parts: list[str] = []
    advice: list[str] = []
    if disabled:
        shown = ", ".join(f"{each.webhook_id} ({each.disabled})" for each in disabled[:_MOST_NAMED])
        parts.append(f"Told nothing any more: {shown}{_others(len(disabled))}.")
        advice.append("Remove them, or: rescind webhook enable ID.")
    if dead:
        shown = ", ".join(f"{each.dead:,} to {each.webhook_id}" for each in dead[:_MOST_NAMED])
        parts.append(f"Dead letters: {shown}{_others(len(dead))}.")
        advice.append("rescind webhook dead says why; rescind webhook retry tries them anew.")
    return Finding("webhooks", Level.WARN, " ".join(parts), " ".join(advice))


def _others(count: int) -> str:
    return f" and {count - _MOST_NAMED} more" if count > _MOST_NAMED else ""


def _waiting(without_worker: list[WaitingWork], now: Instant) -> Finding:
    if not without_worker:
        return Finding("kinds", Level.OK, "Every kind that waits has a worker that takes it.")
    shown = "; ".join(
        f"{counted(each.count, each.sort)}{_kind(each)} on queue {each.queue!r} "
        f"for {age_in_words(now - each.since)}{_mistaken(each)}"
        for each in without_worker[:_MOST_NAMED]
    )
    more = f"; and {len(without_worker) - _MOST_NAMED} more kinds" if len(without_worker) > _MOST_NAMED else ""
    level = Level.FAIL if any(now - each.since > _PATIENCE for each in without_worker) else Level.WARN
    advice = "Start a worker that has them, on that queue: rescind worker MODULE --queue NAME."
    if any(each.workers_of_workflow for each in without_worker):
        advice += " What was meant as a workflow: cancel it, and start it again with --workflow."
    return Finding("kinds", level, f"Nobody takes what waits: {shown}{more}.", advice)


def _mistaken(work: WaitingWork) -> str:
    """Agents that nobody runs, although somebody runs a workflow of that name: they were started before it came."""
    if not work.workers_of_workflow:
        return ""
    return f" (no worker runs this agent; {counted(work.workers_of_workflow, 'worker')} as a workflow)"


def _kind(work: WaitingWork) -> str:
    """Its kind; a cluster tells of waiting work in which queue it is, and not what."""
    return "" if work.kind == _ANY_KIND else f" {work.kind!r}"


def _named(stuck: list[StuckTask]) -> str:
    names = [
        f"{each.listed.task.kind} {each.listed.task.task_id} of {each.listed.execution_id}{_told(each)}"
        for each in stuck[:_MOST_NAMED]
    ]
    return ", ".join(names) + _others(len(stuck))


def _told(stuck: StuckTask) -> str:
    """How often its workers were told to stop, where that is what is wrong."""
    if stuck.reason is not StuckReason.NOT_ACKNOWLEDGED:
        return ""
    unheard = [attempt for attempt in stuck.listed.at_work if not attempt.acknowledged]
    return "".join(f" (worker {attempt.worker_id} was told {attempt.deliveries} times)" for attempt in unheard)


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000)
