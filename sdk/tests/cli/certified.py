"""Certificates in files: those that fit, and those that do not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import trustme

LONG_AGO: Final = datetime(2019, 1, 1, tzinfo=UTC)
NOT_SO_LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)


class Authority:
    """Vouches for others.

    Attributes:
        root: the PEM file by which it is trusted.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._authority = trustme.CA()
        self._folder = folder
        self._name = name
        self.root = folder / f"{name}.ca.pem"
        self._authority.cert_pem.write_to_path(self.root)

    def issue(self, owner: str, *names: str, expired: bool = False) -> tuple[str, str]:
        """A certificate for these names, and its key: the paths of both."""
        valid: dict[str, Any] = {"not_before": LONG_AGO, "not_after": NOT_SO_LONG_AGO} if expired else {}
        issued = self._authority.issue_cert(*names, **valid)
        certificate = self._folder / f"{self._name}.{owner}.pem"
        key = certificate.with_suffix(".key")
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(key)
        return str(certificate), str(key)
