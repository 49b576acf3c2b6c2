"""Why executions do not end: in words, for whoever finds everything at a standstill."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from rescind.authoring.registry import Registry
from rescind.model.status import TERMINAL_EXECUTION, TERMINAL_TASK
from rescind.model.views import ExecutionDetails, TaskView
from rescind.worker.worker import Worker
from rescind_server.host.driver import Host

T = TypeVar("T")

_MOST_SHOWN: Final = 20


def waiting_executions(
    host: Host, workers: Sequence[Worker], agents: Registry[Any], tasks: Registry[Any], workflows: Registry[Any]
) -> Iterator[str]:
    """A line for each reason why an execution that has not ended does not go on.

    Args:
        host: what drives the engine.
        workers: those that take work.
        agents: the agents that they know.
        tasks: the tasks that they know.
        workflows: the workflows that they know.
    """
    if host.failure is not None:
        yield f"the engine's host failed: {type(host.failure).__name__}: {host.failure}"
        return
    served = {queue for worker in workers for queue in worker.queues}
    shown = 0
    for execution_id in host.execution_ids():
        details = _answer_at_once(host.details(execution_id))
        if details is None or details.execution.status in TERMINAL_EXECUTION:
            continue
        if shown == _MOST_SHOWN:
            yield f"and more executions than these {_MOST_SHOWN}"
            return
        shown += 1
        codes = workflows if details.execution.is_workflow else agents
        yield from (f"execution {execution_id!r} {reason}" for reason in _reasons(details, served, codes, tasks))


def _reasons(details: ExecutionDetails, served: set[str], codes: Registry[Any], tasks: Registry[Any]) -> list[str]:
    execution = details.execution
    if execution.parked is not None:
        return [f"is parked: {execution.parked}"]
    if execution.queue not in served:
        return [f"waits on queue {execution.queue!r}, which {_no_worker(served)}"]
    if not codes.has(execution.kind):
        sort = "workflow" if execution.is_workflow else "agent"
        return [f"waits: no worker here knows the {sort} {execution.kind!r}{_meant(execution.kind, codes)}"]
    still_open = [task for task in details.tasks if task.status not in TERMINAL_TASK]
    if not still_open:
        return [f"is {execution.status}, has no open task, and waits for a signal or an event that nobody sends"]
    return [f"waits: {_reason(task, served, tasks)}" for task in still_open[:_MOST_SHOWN]]


def _reason(task: TaskView, served: set[str], tasks: Registry[Any]) -> str:
    stands = f"task {task.kind!r} is {task.status} on queue {task.queue!r}"
    if task.started_at is None and task.queue not in served:
        return f"{stands}, which {_no_worker(served)}"
    if not tasks.has(task.kind):
        return f"{stands}, and no worker here knows that kind{_meant(task.kind, tasks)}"
    return stands


def _no_worker(served: set[str]) -> str:
    if not served:
        return "no worker serves: none is left; start one with start_worker()"
    return f"no worker serves (served: {', '.join(map(repr, sorted(served)))})"


def _meant(kind: str, registry: Registry[Any]) -> str:
    close = get_close_matches(kind, registry.kinds(), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _answer_at_once(question: Coroutine[Any, Any, T]) -> T | None:
    """What a coroutine returns that need not wait; None if it would have to: the event loop is past running it."""
    try:
        question.send(None)
    except StopIteration as answer:
        result: T = answer.value
        return result
    question.close()
    return None
