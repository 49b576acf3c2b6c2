"""Packages of the npm registry, which the tests of the page need and the page itself does not."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from fixtures.obtaining.commands import CommandFailed, find, run


def fetched(package: str, version: str, integrity: str, folder: Path) -> Path:
    """Fetch a package's archive, a `.tgz`, into a folder that has none; returns its path.

    Args:
        package: its name.
        version: its version.
        integrity: SHA-512 of the archive, in base64, as the registry tells it. What is fetched is run here.
        folder: where the archive is put.

    Raises:
        CommandFailed: it cannot be fetched, or is another than it should be.
    """
    run([find("npm", "Debian's npm"), "pack", "--silent", f"{package}@{version}"], folder)
    (archive,) = folder.glob("*.tgz")
    if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != integrity:
        raise CommandFailed(f"{package} {version} of the registry is another one than was expected")
    return archive
