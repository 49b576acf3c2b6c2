"""Opening a store's file: making it, or taking it over from the server before, of whatever version."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Literal

from rescind.errors import StoreError
from rescind_server.store.migrations import SCHEMA_VERSION, migrate, refuse_newer, schema

Durability = Literal["full", "normal", "off"]
"""FULL survives the loss of power; NORMAL the loss of the process; OFF neither promise is kept by more than luck."""


def open_file(path: Path, durability: Durability) -> sqlite3.Connection:
    """A connection to a file of today's schema, locked for as long as it is open.

    Raises:
        StoreError: the file cannot be opened or migrated, is no store, is in use, or was written by a newer Rescind.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
        try:
            _take_over(connection, path, durability)
        except BaseException:  # the file must not stay locked by a store that nobody has
            connection.close()
            raise
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be opened: {error}. {_advice(path, error)}") from error
    return connection


def _advice(path: Path, error: sqlite3.Error) -> str:
    if not path.parent.is_dir():
        return "Its folder does not exist: make it, or choose another place."
    # SQLite says "disk I/O error" of a disk that may only be read.
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return "It may not be written, or its disk may not: give the server the right to, or choose another place."
    if "full" in str(error):
        return "Free space, and start again: nothing that was answered is lost."
    return "Is it a store, is another server using it?"


def _take_over(connection: sqlite3.Connection, path: Path, durability: Durability) -> None:
    """Lock the file, see that it is a store of ours, or make it one. What is not ours is left as it is."""
    connection.execute("pragma locking_mode = exclusive")
    (version,) = connection.execute("pragma user_version").fetchone()
    (tables,) = connection.execute("select count(*) from sqlite_master").fetchone()
    if version == 0 and tables:
        raise StoreError(f"{path} is a database of something else. Choose another file.")
    refuse_newer(path, version)
    connection.execute("pragma journal_mode = wal")
    connection.execute(f"pragma synchronous = {durability}")
    # Takes the lock at once, so that a file in use is noticed here and not at the first commit.
    connection.execute("begin immediate")
    connection.execute("commit")
    if version == 0:
        connection.executescript(
            f"begin immediate; {schema(SCHEMA_VERSION)} pragma user_version = {SCHEMA_VERSION}; commit;"
        )
    else:
        migrate(connection, path, version)
