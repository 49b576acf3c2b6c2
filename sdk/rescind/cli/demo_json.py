"""What `rescind demo --json` prints: outcome and history, for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rescind.cli.demo_play import Played
from rescind.cli.scenarios import Scenario
from rescind.cli.timeline import Timeline
from rescind.client.records import TaskRecord
from rescind.model.events import iso_time
from rescind.model.ids import Instant


def listing(scenarios: Iterable[Scenario]) -> list[dict[str, Any]]:
    """The scenarios that there are."""
    return [{"name": each.name, "story": each.story, "agent": each.agent.kind} for each in scenarios]


def document(scenario: Scenario, seed: int, clock: str, executions: Sequence[Played]) -> dict[str, Any]:
    """A scenario that was played, as one JSON object."""
    return {
        "scenario": scenario.name,
        "story": scenario.story,
        "seed": seed,
        "clock": clock,
        "executions": [_execution(scenario, played) for played in executions],
    }


def _execution(scenario: Scenario, played: Played) -> dict[str, Any]:
    timeline = Timeline.of(played.history)
    return {
        "execution_id": played.execution_id,
        "kind": scenario.agent.kind,
        "status": played.status.value,
        "input": dict(played.given),
        "output": played.output,
        "error": played.error,
        "elapsed_us": timeline.elapsed_until(timeline.ended_at),
        "winners": [life.task_id for life in timeline.tasks.values() if life.is_winner],
        "tasks": [_task(task) for task in played.tasks],
        "cancellations": _cancellations(timeline),
        "history": [event.to_json() for event in played.history],
    }


def _task(task: TaskRecord) -> dict[str, Any]:
    view = task.view
    return {
        "task_id": view.task_id,
        "kind": task.kind,
        "status": task.status.value,
        "stop_state": task.stop_state.value if task.stop_state is not None else None,
        "attempts": task.attempts,
        "input": task.input,
        "output": task.output,
        "error": task.error,
        "cause": str(task.cause) if task.cause is not None else None,
        "scheduled_at": iso_time(view.scheduled_at),
        "started_at": _iso_time(view.started_at),
        "ended_at": _iso_time(view.ended_at),
    }


def _cancellations(timeline: Timeline) -> list[dict[str, Any]]:
    return [
        {
            "task_id": life.task_id,
            "attempt": stopping.attempt,
            "source": stopping.source,
            "requested_at": iso_time(stopping.requested_at),
            "stopped_at": _iso_time(stopping.ended_at),
            "latency_us": stopping.latency,
            "state": stopping.state,
        }
        for life, stopping in timeline.stoppings()
    ]


def _iso_time(at: Instant | None) -> str | None:
    return None if at is None else iso_time(at)
