"""What the code that runs here belongs to: so that a log can say it, and what the code asks for can carry it on."""

from __future__ import annotations

from contextvars import ContextVar

import msgspec


class AtWork(msgspec.Struct, frozen=True, gc=False):
    """An agent, or an attempt of a task, whose code runs.

    Attributes:
        execution_id: the agent's execution.
        worker: the worker that runs it; empty where that is not known.
        task_id: the task; empty in an agent's own code.
        attempt: the attempt's number, from 1; 0 in an agent's own code.
        organisation: whose it is; empty where that is not known.
        trace_parent: the span that what it asks for belongs to; None if it is not traced.
    """

    execution_id: str
    worker: str = ""
    task_id: str = ""
    attempt: int = 0
    organisation: str = ""
    trace_parent: str | None = None


AT_WORK: ContextVar[AtWork | None] = ContextVar("rescind_at_work", default=None)
"""What the code that runs now belongs to; None where it is neither an agent's nor a task's."""
