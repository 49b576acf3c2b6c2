"""The spans of agents, attempts and calls. Imported only where OpenTelemetry is in use.

Agent, tasks and cancels are seen by different processes, and none tells another of its spans. So the id of an agent's
span follows from its trace and its execution: whoever runs a task of it knows the parent, and an agent whose end is
told twice has one span. Where nobody traced the start, the trace's id follows from the execution's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from typing import Final

import msgspec
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from rescind.model.cause import CancelCause
from rescind.model.ids import Instant
from rescind.model.messages import TaskActivation
from rescind.model.outcome import Failure
from rescind.model.trace_parent import trace_parent_of
from rescind.model.version import VERSION
from rescind.telemetry.at_work import AtWork
from rescind.telemetry.attempt_span import AttemptSpan

_NANOSECONDS: Final = 1_000
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_UNSAMPLED: Final = TraceFlags(TraceFlags.DEFAULT)


class _DerivedIds(IdGenerator):
    """Gives out the ids that were fixed, where some were; else those of another generator."""

    def __init__(self, others: IdGenerator) -> None:
        self._others = others
        self._fixed: ContextVar[SpanContext | None] = ContextVar("rescind_fixed_ids", default=None)

    @contextmanager
    def fixed(self, ids: SpanContext) -> Iterator[None]:
        token = self._fixed.set(ids)
        try:
            yield
        finally:
            self._fixed.reset(token)

    def generate_span_id(self) -> int:
        ids = self._fixed.get()
        return ids.span_id if ids is not None else self._others.generate_span_id()

    def generate_trace_id(self) -> int:
        ids = self._fixed.get()
        return ids.trace_id if ids is not None else self._others.generate_trace_id()


class Spans:
    """Makes spans with one provider."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("rescind", VERSION)
        self._ids = _DerivedIds(provider.id_generator)
        if isinstance(self._tracer, Tracer):  # not where OTEL_SDK_DISABLED is set
            # The tracer is ours alone; who else makes spans with this provider has another.
            self._tracer.id_generator = self._ids

    def current(self) -> str | None:
        """OpenTelemetry's current span; None if there is none."""
        current = trace.get_current_span().get_span_context()
        return written(current) if current.is_valid else None

    @contextmanager
    def calling(self, name: str, attributes: Mapping[str, str]) -> Iterator[Callable[[str, str], None]]:
        """See `traces.calling`. What the block raises is recorded."""
        with self._tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=attributes) as span:
            yield span.set_attribute

    def enter(self, trace_parent: str | None) -> None:
        """Let the code that runs from now on in this context be inside a span of another process; None is none."""
        found = _read(trace_parent)
        if found is not None:
            _enter(found)

    def agent_of(self, execution_id: str, trace_parent: str | None) -> SpanContext:
        """Where the span of an agent is, or will be.

        Args:
            execution_id: the agent's execution.
            trace_parent: the span that it was started in; None if nobody traced the start.
        """
        started_in = _read(trace_parent)
        if started_in is not None:
            trace_id, flags = started_in.trace_id, started_in.trace_flags
        else:
            trace_id = _number(16, "trace", execution_id)
            flags = _SAMPLED if _would_sample(self._tracer, trace_id) else _UNSAMPLED
        span_id = _number(8, "agent", execution_id, f"{trace_id:032x}")
        return SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)

    def enter_agent(self, at_work: AtWork) -> AtWork:
        """See `traces.enter_agent`. Returns the same, with the agent's span as what it carries on."""
        agent = self.agent_of(at_work.execution_id, at_work.trace_parent)
        _enter(agent)
        return msgspec.structs.replace(at_work, trace_parent=written(agent))

    def tell_agent(
        self,
        agent: AtWork,
        *,
        kind: str,
        times: tuple[Instant, Instant],
        status: str,
        failure: Failure | None,
        cause: CancelCause | None,
        run: int,
    ) -> None:
        """Tell the span of an agent whose code has ended.

        Args:
            agent: what its code belongs to, as its server says.
            kind: the agent's kind.
            times: when it was started, and when its code ended, in microseconds.
            status: ``COMPLETED``, ``FAILED`` or ``CANCELLED``.
            failure: why, if it FAILED.
            cause: why it was cancelled, if it was.
            run: the number of the run of its code that came to the end.
        """
        started_in = _read(agent.trace_parent)
        place = _inside(started_in) if started_in is not None else otel_context.Context()
        began_at, ended_at = times
        with self._ids.fixed(self.agent_of(agent.execution_id, agent.trace_parent)):
            span = self._tracer.start_span(
                f"agent {kind}",
                place,
                SpanKind.CONSUMER,
                {
                    "rescind.execution.id": agent.execution_id,
                    "rescind.agent.kind": kind,
                    "rescind.organisation": agent.organisation,
                    "rescind.worker.id": agent.worker,
                    "rescind.run": run,
                    "rescind.status": status,
                },
                _links(cause),
                began_at * _NANOSECONDS,
            )
        _note_cause(span, cause)
        _note_failure(span, failure)
        span.end(ended_at * _NANOSECONDS)

    def begin_attempt(self, activation: TaskActivation, worker: str, executor: str) -> AttemptSpan:
        """See `traces.begin_attempt`."""
        agent = self.agent_of(activation.execution_id, activation.trace_parent)
        span = self._tracer.start_span(
            f"task {activation.kind}",
            _inside(agent),
            SpanKind.CONSUMER,
            {
                "rescind.execution.id": activation.execution_id,
                "rescind.task.id": activation.task_id,
                "rescind.task.kind": activation.kind,
                "rescind.attempt": activation.attempt,
                "rescind.queue": activation.queue,
                "rescind.worker.id": worker,
                "rescind.executor": executor,
            },
        )
        return _TracedAttempt(self._tracer, span)

    @contextmanager
    def step(self, agent: AtWork, name: str) -> Iterator[str]:
        """A block in which a side effect of an agent runs; gives what it carries on. What it raises is recorded."""
        place = _inside(self.agent_of(agent.execution_id, agent.trace_parent))
        attributes = {"rescind.execution.id": agent.execution_id, "rescind.step": name}
        with self._tracer.start_as_current_span("step", place, attributes=attributes) as span:
            yield written(span.get_span_context())


def spans_of(provider: TracerProvider) -> Spans:
    """What makes spans with a provider: made once, and again only if another provider is set."""
    global _last
    if _last is None or _last[0] is not provider:
        _last = (provider, Spans(provider))
    return _last[1]


_last: tuple[TracerProvider, Spans] | None = None


class _TracedAttempt(AttemptSpan):
    def __init__(self, tracer: trace.Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span
        self._stop: Span | None = None

    def enter(self) -> str:
        _enter(self._span)
        return written(self._span.get_span_context())

    def begin_stop(self, cause: CancelCause) -> None:
        if self._stop is None:
            # From the order to the end of the work, linked to the span of the cancel that brought it about.
            place = _inside(self._span.get_span_context())
            self._stop = self._tracer.start_span("stop", place, links=_links(cause))
            _note_cause(self._stop, cause)

    def end(self, status: str, failure: Failure | None = None) -> None:
        for span in (self._stop, self._span):
            if span is not None:
                span.set_attribute("rescind.status", status)
        _note_failure(self._span, failure)
        if self._stop is not None:
            self._stop.end()
        self._span.end()


def _enter(span: Span | SpanContext) -> None:
    otel_context.attach(trace.set_span_in_context(NonRecordingSpan(span) if isinstance(span, SpanContext) else span))


def written(span: SpanContext) -> str:
    """A span as a trace parent."""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"


def _would_sample(tracer: trace.Tracer, trace_id: int) -> bool:
    if not isinstance(tracer, Tracer):
        return True
    return tracer.sampler.should_sample(None, trace_id, "agent").decision is Decision.RECORD_AND_SAMPLE


def _read(trace_parent: str | None) -> SpanContext | None:
    found = trace_parent_of(trace_parent)
    if found is None:
        return None
    _, trace_id, span_id, flags = found.split("-")[:4]
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def _number(size: int, *of: str) -> int:
    """A number that is not 0, of so many bytes, that follows from texts."""
    return int.from_bytes(sha256("\0".join(("rescind", *of)).encode("utf-8", "replace")).digest()[:size], "big") or 1


def _inside(span: SpanContext) -> otel_context.Context:
    return trace.set_span_in_context(NonRecordingSpan(span), otel_context.Context())


def _links(cause: CancelCause | None) -> Sequence[Link]:
    asked_in = _read(cause.trace_parent) if cause is not None else None
    return (Link(asked_in, {"rescind.link": "cancel"}),) if asked_in is not None else ()


def _note_cause(span: Span, cause: CancelCause | None) -> None:
    if cause is not None:
        span.set_attributes({"rescind.cancel.source": cause.source.value, "rescind.cancel.by": cause.by})
        if cause.reason:
            span.set_attribute("rescind.cancel.reason", cause.reason)


def _note_failure(span: Span, failure: Failure | None) -> None:
    if failure is None:
        return
    span.set_status(Status(StatusCode.ERROR, failure.message))
    facts = {"exception.type": failure.error_type or failure.kind.value, "exception.message": failure.message}
    span.add_event("exception", facts)
