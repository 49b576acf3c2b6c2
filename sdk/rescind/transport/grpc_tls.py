"""A client's side of TLS: its files as gRPC's credentials, read and checked before anything is sent."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import grpc

from rescind.errors import InvalidInput
from rescind.settings import Tls


def credentials_of(tls: Tls) -> grpc.ChannelCredentials:
    """What a channel is opened with.

    Raises:
        InvalidInput: a file cannot be read, or they do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority = _read(tls.authority, "the authorities (tls_ca)")
    if tls.authority is not None:
        try:
            context.load_verify_locations(tls.authority)
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{tls.authority} has no authorities (tls_ca): {error}. Give them as PEM.") from None
    certificate = _read(tls.certificate, "the certificate (tls_certificate)")
    key = _read(tls.key, "the certificate's key (tls_key)")
    if (certificate is None) != (key is None):
        raise InvalidInput("a client's certificate needs its key. Give tls_certificate and tls_key, or neither.")
    if tls.certificate is not None and tls.key is not None:
        try:
            # A key with a password would ask for it on the terminal.
            context.load_cert_chain(tls.certificate, tls.key, password="")
        except (OSError, ValueError) as error:
            raise InvalidInput(
                f"{tls.certificate} and {tls.key} cannot be used for TLS: {error}. Give a certificate and its key as "
                "PEM, the key without a password."
            ) from None
    return grpc.ssl_channel_credentials(authority, key, certificate)


def options_of(tls: Tls) -> tuple[tuple[str, Any], ...]:
    """What else a channel must know."""
    return () if tls.server_name is None else (("grpc.ssl_target_name_override", tls.server_name),)


def _read(path: Path | None, what: str) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read for {what}: {error.strerror or error}.") from None
