"""The spans that a test has made, by what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer


class Made(NamedTuple):
    """Spans that have ended.

    Attributes:
        exporter: where they are.
        tracer: what the program of the test makes its own with.
    """

    exporter: InMemorySpanExporter
    tracer: Tracer

    def named(self, name: str) -> Sequence[ReadableSpan]:
        """Those of a name, in the order of their ends."""
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        """The only one of a name."""
        (span,) = self.named(name)
        return span

    def attribute(self, name: str, attribute: str) -> object:
        """What the only span of a name says of itself."""
        return (self.one(name).attributes or {})[attribute]


def span_id(span: ReadableSpan) -> int:
    """The id of a span."""
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def trace_id(span: ReadableSpan) -> int:
    """The id of the trace that a span is in."""
    context = span.get_span_context()
    assert context is not None
    return context.trace_id


def parent_id(span: ReadableSpan) -> int | None:
    """The id of the span that a span is in; None if it begins its trace."""
    return span.parent.span_id if span.parent is not None else None


def linked(span: ReadableSpan) -> list[int]:
    """The ids of the spans that a span is linked to."""
    return [link.context.span_id for link in span.links]
