"""The port at which gRPC is spoken: our services, health and reflection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection

from rescind.errors import AddressUnavailable
from rescind_server.access.certificates import Certificates
from rescind_server.gateway.limits import Limits

HEALTH: Final = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name

_WHOLE_SERVER: Final = ""
_STATUS: Final = {True: health_pb2.HealthCheckResponse.SERVING, False: health_pb2.HealthCheckResponse.NOT_SERVING}


class GrpcListener:
    """Serves at one address, from `open` to `close`."""

    def __init__(
        self,
        services: Mapping[Any, Mapping[str, grpc.RpcMethodHandler]],
        limits: Limits,
        credentials: grpc.ServerCredentials | None,
    ) -> None:
        """Make one that does not serve yet; on a running event loop.

        Args:
            services: the descriptors of what is served, each with the handlers of its calls.
            limits: bounds on what comes in.
            credentials: for TLS; None serves in the clear.
        """
        self._names = [service.full_name for service in services]
        self._credentials = credentials
        self._health = health.HealthServicer()
        self._server = grpc.aio.server(options=_options(limits))
        for service, handlers in services.items():
            assert set(handlers) == set(service.methods_by_name), service.full_name
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((*self._names, HEALTH, reflection.SERVICE_NAME), self._server)

    async def open(self, address: str) -> str:
        """Serve at ``host:port``; port 0 takes a free one. Returns the address with the port that it got.

        Raises:
            AddressUnavailable: the address cannot be served at.
        """
        try:
            port = (
                self._server.add_secure_port(address, self._credentials)
                if self._credentials is not None
                else self._server.add_insecure_port(address)
            )
        except RuntimeError as error:
            # Its text tells how to trace gRPC, and nothing of why.
            raise AddressUnavailable(
                f"{address} cannot be served at: another program serves there, or the address is not of this machine. "
                "Choose another one."
            ) from error
        await self._server.start()
        return f"{address.rpartition(':')[0]}:{port}"

    async def tell_health(self, *, is_alive: bool, takes_writes: bool) -> None:
        """Let the health service say how it stands.

        Args:
            is_alive: what is said of the whole server, by the empty name. A server on a full disk is alive: to start it
                anew would mend nothing, and what can be read meanwhile could not be read.
            takes_writes: what is said of each of its services: whether all of its calls are carried out.
        """
        await self._health.set(_WHOLE_SERVER, _STATUS[is_alive])
        for name in self._names:
            await self._health.set(name, _STATUS[is_alive and takes_writes])

    async def tell_stopping(self) -> None:
        """Let the health service say that nothing is served any more, whatever it is told later."""
        await self._health.enter_graceful_shutdown()

    async def close(self, grace: float) -> None:
        """Take no new calls, and cancel those that are not over in `grace` seconds."""
        await self._server.stop(grace)


def credentials_of(certificates: Certificates) -> grpc.ServerCredentials:
    """What gRPC serves TLS with."""
    authority = certificates.client_authority
    return grpc.ssl_server_credentials(
        [(certificates.key.read_bytes(), certificates.certificate.read_bytes())],
        root_certificates=authority.read_bytes() if authority is not None else None,
        require_client_auth=authority is not None,
    )


def _options(limits: Limits) -> Sequence[tuple[str, Any]]:
    return (
        ("grpc.max_receive_message_length", limits.received),
        ("grpc.max_send_message_length", -1),
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        # Without this a second server on the same port would silently share its calls.
        ("grpc.so_reuseport", 0),
    )
