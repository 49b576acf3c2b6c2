"""Whether a file can be written: it is still where it was, and the disk takes what is written."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from rescind.errors import StoreError

_ROOM: Final = 1024 * 1024
"""How many bytes a disk must take before it counts as one that is not full."""


class Place:
    """Where a file and its write-ahead log were when they were opened.

    SQLite goes on writing into a file that was deleted or moved away, and says that all is well.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        files = (path, path.with_name(path.name + "-wal"))
        self._known = {file: identity for file in files if (identity := _identity(file)) is not None}

    def ensure_unmoved(self) -> None:
        """Raises StoreError if the file is not there any more, or another one is in its place."""
        for file, identity in self._known.items():
            found = _identity(file)
            if found != identity:
                problem = "is gone" if found is None else "was replaced by another file"
                raise StoreError(
                    f"{file} {problem} while the server has it open. Put back what was there, with its -wal file. If "
                    "it was deleted, save what the server still holds open (/proc/PID/fd) before you stop it."
                )


def probe(connection: sqlite3.Connection) -> None:
    """Write something, and take it out again. Raises sqlite3.Error if the file does not take it."""
    try:
        connection.execute("begin immediate")
        connection.execute("insert into probe (padding) values (zeroblob(?))", (_ROOM,))
        connection.execute("commit")
    finally:
        if connection.in_transaction:
            connection.execute("rollback")
    # By itself, so that the room was really taken for a moment. What a crash leaves in between goes with the next one.
    connection.execute("delete from probe")


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
