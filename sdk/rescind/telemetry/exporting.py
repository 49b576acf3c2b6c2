"""Sends the spans of a program of ours to a collector, as the variables of OpenTelemetry say."""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import TYPE_CHECKING, Final

from rescind.errors import InvalidInput
from rescind.model.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_LOG: Final = logging.getLogger(__name__)
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_OVER_GRPC: Final = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"
_TO_INSTALL: Final = "pip install 'rescind[telemetry]'"


def export_spans(service: str, endpoint: str | None = None) -> None:
    """Make spans in this process, and send them with OTLP, if somebody asks for that.

    Asked for is it with an endpoint, or with ``OTEL_EXPORTER_OTLP_ENDPOINT`` or
    ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT``. The other variables of OpenTelemetry hold, too; a provider that was set up
    before, as ``opentelemetry-instrument`` does, is left as it is. What has not been sent is sent as the process ends.

    Args:
        service: the name of the service, unless the variables give one.
        endpoint: the collector, as ``http://localhost:4318``; None takes that of the variables.

    Raises:
        InvalidInput: the endpoint is no URL, or OpenTelemetry is not installed and an endpoint is given here.
    """
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise InvalidInput(f"the collector's endpoint is {endpoint!r}. Give a URL, as http://localhost:4318.")
    if endpoint is None and not any(os.environ.get(each) for each in _ENDPOINTS):
        return
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return
    try:
        _set_up(service, endpoint)
    except ImportError as error:
        text = f"no traces can be sent: {error}. Install what it takes: {_TO_INSTALL}."
        if endpoint is not None:
            raise InvalidInput(text) from None
        # The variables may be meant for what the tasks run.
        _LOG.warning("%s", text)


def _set_up(service: str, endpoint: str | None) -> None:
    # Here, since it is an extra; and a third of a second.
    from opentelemetry import trace  # noqa: PLC0415
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    said = Resource.create()
    named = {} if _is_named(said.attributes.get(SERVICE_NAME)) else {SERVICE_NAME: service, SERVICE_VERSION: VERSION}
    provider = TracerProvider(resource=said.merge(Resource(named)))
    provider.add_span_processor(BatchSpanProcessor(_exporter(endpoint)))
    trace.set_tracer_provider(provider)


def _is_named(name: object) -> bool:
    return isinstance(name, str) and bool(name) and not name.startswith("unknown_service")


def _exporter(endpoint: str | None) -> SpanExporter:
    protocol = next((value for each in _PROTOCOLS if (value := os.environ.get(each))), "http/protobuf")
    if protocol == "grpc":
        # Not of our extra, which has the other one.
        try:
            exporter: SpanExporter = import_module(_OVER_GRPC).OTLPSpanExporter(endpoint=endpoint)
        except ImportError as error:
            raise ImportError(f"{error}. Sending with gRPC takes opentelemetry-exporter-otlp-proto-grpc") from None
        return exporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    return OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces" if endpoint is not None else None)
