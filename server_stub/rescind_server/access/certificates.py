"""The files of a server's TLS, read and checked before anything is served."""

from __future__ import annotations

import ssl
from pathlib import Path

import msgspec

from rescind.errors import InvalidInput


class Certificates(msgspec.Struct, frozen=True):
    """What a server proves itself with, and whom it takes.

    Attributes:
        certificate: a PEM file: the server's certificate, then those between it and the root.
        key: a PEM file: its private key, without a password.
        client_authority: a PEM file: clients must have a certificate of one of these; None asks for none.
    """

    certificate: Path
    key: Path
    client_authority: Path | None = None

    def check(self) -> None:
        """Raises InvalidInput: a file cannot be read, or they do not belong together."""
        for path in (self.certificate, self.key, self.client_authority):
            if path is not None and not path.is_file():
                raise InvalidInput(f"there is no file {path}. Give a PEM file.")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # A key with a password would ask for it on the terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
            if self.client_authority is not None:
                context.load_verify_locations(self.client_authority)
        except (OSError, ValueError) as error:
            raise InvalidInput(
                f"{self.certificate} and {self.key} cannot be used for TLS: {error}. Give a certificate and its key "
                "as PEM, the key without a password."
            ) from None


def certificates_of(certificate: Path | None, key: Path | None, client_authority: Path | None) -> Certificates | None:
    """The files that were given; None if none was.

    Raises:
        InvalidInput: some are missing, cannot be read, or do not belong together.
    """
    if certificate is None and key is None and client_authority is None:
        return None
    if certificate is None or key is None:
        raise InvalidInput("TLS needs a certificate and its key: give --tls-cert and --tls-key.")
    found = Certificates(certificate, key, client_authority)
    found.check()
    return found
