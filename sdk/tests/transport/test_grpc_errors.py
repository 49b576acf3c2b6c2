"""What is said of a call that failed, by what is known of the connection."""

from __future__ import annotations

import grpc
import pytest

from rescind import ServerUnavailable, TlsFailed
from rescind.transport.grpc_errors import error_of

CLOSED = "failed to connect to all addresses; last error: UNAVAILABLE: ipv4:192.0.2.1:7233: Socket closed"


def failed(text: str) -> grpc.aio.AioRpcError:
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, text)


@pytest.mark.parametrize(("was_connected", "error"), [(False, TlsFailed), (True, ServerUnavailable)])
def test_only_a_server_that_never_answered_in_the_clear_may_ask_for_tls(
    was_connected: bool, error: type[ServerUnavailable]
) -> None:
    said = error_of(failed(CLOSED), "192.0.2.1:7233", was_connected=was_connected)
    assert type(said) is error
    assert ("TLS" in str(said)) is not was_connected


def test_a_certificate_may_expire_while_one_is_connected() -> None:
    text = "failed to connect to all addresses: CERTIFICATE_VERIFY_FAILED: certificate has expired: OK"
    assert isinstance(error_of(failed(text), "192.0.2.1:7233", is_encrypted=True, was_connected=True), TlsFailed)
