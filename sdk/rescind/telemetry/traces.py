"""Whether this process is traced, and which trace it is in. Costs next to nothing where it is not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rescind.model.messages import TaskActivation
from rescind.model.trace_parent import VARIABLE, trace_parent_of
from rescind.telemetry.at_work import AT_WORK, AtWork
from rescind.telemetry.attempt_span import AttemptSpan

if TYPE_CHECKING:
    from rescind.telemetry.spans import Spans


def spans() -> Spans | None:
    """What makes this process's spans; None if nobody has set up OpenTelemetry in it.

    It is used where the program has imported its SDK and set a provider, and never imported otherwise.
    """
    # A thread may be importing it just now: then it has no such class yet.
    providers = getattr(sys.modules.get("opentelemetry.sdk.trace"), "TracerProvider", None)
    if providers is None:
        return None
    provider = sys.modules["opentelemetry.trace"].get_tracer_provider()
    if not isinstance(provider, providers):
        return None
    # Not at the top: it needs OpenTelemetry, which is not there everywhere.
    from rescind.telemetry.spans import spans_of  # noqa: PLC0415

    return spans_of(provider)


def current_trace_parent() -> str | None:
    """What goes out from here belongs to this span; None if it belongs to none.

    It is OpenTelemetry's current span, or else that of the agent or task whose code runs, or else the one that the
    variable ``TRACEPARENT`` names.
    """
    makes_spans = spans()
    if makes_spans is not None and (current := makes_spans.current()) is not None:
        return current
    at_work = AT_WORK.get()
    if at_work is not None:
        return at_work.trace_parent
    return trace_parent_of(os.environ.get(VARIABLE))


NOT_TRACED: Final = AttemptSpan()


def begin_attempt(activation: TaskActivation, worker: str, executor: str) -> AttemptSpan:
    """Begin the span of an attempt, inside that of its agent.

    Args:
        activation: the attempt.
        worker: the worker that runs it.
        executor: what runs it there.
    """
    makes_spans = spans()
    return NOT_TRACED if makes_spans is None else makes_spans.begin_attempt(activation, worker, executor)


def enter_agent(at_work: AtWork) -> None:
    """Let an agent's code, which runs from now on in this context, be inside its agent's span."""
    makes_spans = spans()
    AT_WORK.set(at_work if makes_spans is None else makes_spans.enter_agent(at_work))


def enter_attempt(at_work: AtWork) -> None:
    """Let the code of an attempt whose span another process makes be inside it, from now on in this context."""
    AT_WORK.set(at_work)
    makes_spans = spans()
    if makes_spans is not None:
        makes_spans.enter(at_work.trace_parent)


@contextmanager
def calling(name: str, attributes: Mapping[str, str]) -> Iterator[Callable[[str, str], None]]:
    """A block in which a client asks something of a server: a span of its own, if this process is traced.

    Args:
        name: what it asks, with few different values: ``start fastest-quote``.
        attributes: which one: ids by their names in the trace.

    Yields:
        What notes an id that is known only then.
    """
    makes_spans = spans()
    if makes_spans is None:
        yield _note_nothing
    else:
        with makes_spans.calling(name, attributes) as note:
            yield note


def _note_nothing(name: str, value: str) -> None:
    """What notes an id where nobody looks at it."""
