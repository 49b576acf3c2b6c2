"""What of an agent's run is told to those who trace it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from rescind.backends.native.agent_run import AgentRun
from rescind.backends.native.workflow_run import WorkflowRun
from rescind.model.messages import AgentCancelled, AgentCompleted, AgentFailed
from rescind.telemetry.at_work import AT_WORK
from rescind.telemetry.traces import spans


def tell_agent(run: AgentRun, ending: AgentCompleted | AgentFailed | AgentCancelled) -> None:
    """Tell the span of an agent whose code has ended here.

    Told at the end alone, and with times that are the execution's own: a recovery repeats nothing of it.
    """
    makes_spans = spans()
    if makes_spans is None:
        return
    failure = ending.failure if isinstance(ending, AgentFailed) else None
    status = "CANCELLED" if isinstance(ending, AgentCancelled) else "FAILED" if failure is not None else "COMPLETED"
    makes_spans.tell_agent(
        run.at_work,
        kind=run.kind,
        times=(run.started_at, run.told_at),
        status=status,
        failure=failure,
        cause=run.cancel_cause(),
        run=run.run,
    )


@contextmanager
def in_step(run: AgentRun | WorkflowRun, name: str) -> Iterator[None]:
    """A block in which a side effect of an agent or workflow runs: it belongs to that, and is a span of its own."""
    makes_spans = spans()
    if makes_spans is None:
        AT_WORK.set(run.at_work)
        yield
    else:
        with makes_spans.step(run.at_work, name) as trace_parent:
            AT_WORK.set(msgspec.structs.replace(run.at_work, trace_parent=trace_parent))
            yield
