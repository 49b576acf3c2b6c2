"""The backends of the matrix. One joins by a module here and a line in `BACKENDS`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from e2e.backends.embedded import EmbeddedMemory, EmbeddedSqlite
from e2e.backends.server import ServerAndWorkers
from e2e.backends.temporal import TemporalDevelopment, TemporalSkipping
from e2e.harness import Backend

_ALL: Final[tuple[Backend, ...]] = (
    EmbeddedMemory(),
    EmbeddedSqlite(),
    ServerAndWorkers(),
    ServerAndWorkers("flovyn", ("--protocol", "flovyn.v1")),
    TemporalSkipping(),
    TemporalDevelopment(),
)
BACKENDS: Final[Mapping[str, Backend]] = {backend.name: backend for backend in _ALL}
NEED_MORE_THAN_PIP: Final = frozenset({TemporalSkipping.name, TemporalDevelopment.name})
"""Those that are played on only where they are named: they start programs that no package of Python's brings."""
