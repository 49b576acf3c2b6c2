"""The calls of our services, read from their description: what both ends agree on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from rescind_proto.rescind.v1 import client_pb2, webhooks_pb2, worker_pb2, workflows_pb2

PROTOCOL_VERSION: Final = 1
"""The version of the native protocol that this package speaks."""

MESSAGE_LIMIT: Final = 64 * 1024 * 1024
"""The largest message in bytes that a server takes: many payloads go into one, but not without end."""

BATCH_BYTES: Final = 1024 * 1024
"""A batch has about this many bytes at most, so that a stop order need not wait behind megabytes."""

TOKEN_METADATA: Final = "authorization"
"""The metadata that carries who calls: ``Bearer`` and a token."""


class Method(NamedTuple):
    """One call.

    Attributes:
        path: its full name on the wire.
        request: the message that it takes.
        reply: the message that it gives.
        is_session: whether messages go both ways, any number.
        is_stream: whether it gives any number of replies.
    """

    path: str
    request: type[Message]
    reply: type[Message]
    is_session: bool
    is_stream: bool


def methods_of(service: ServiceDescriptor) -> Mapping[str, Method]:
    """The calls of a service by their names."""
    return {
        method.name: Method(
            f"/{service.full_name}/{method.name}",
            GetMessageClass(method.input_type),
            GetMessageClass(method.output_type),
            method.client_streaming,
            method.server_streaming,
        )
        for method in service.methods
    }


WORKER_SERVICE: Final = worker_pb2.DESCRIPTOR.services_by_name["Worker"]
CLIENT_SERVICE: Final = client_pb2.DESCRIPTOR.services_by_name["Client"]
WEBHOOK_SERVICE: Final = webhooks_pb2.DESCRIPTOR.services_by_name["Webhooks"]
WORKFLOW_SERVICE: Final = workflows_pb2.DESCRIPTOR.services_by_name["Workflows"]
WORKER_METHODS: Final = methods_of(WORKER_SERVICE)
CLIENT_METHODS: Final = methods_of(CLIENT_SERVICE)
WEBHOOK_METHODS: Final = methods_of(WEBHOOK_SERVICE)
WORKFLOW_METHODS: Final = methods_of(WORKFLOW_SERVICE)
