"""The temporary folders of attempts. Their names say whose they are, so those of dead workers can be removed."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from rescind.worker.executors import process_table

_PREFIX: Final = "rescind-attempt-"


def make_folder() -> Path:
    """Make an empty folder that only this user can read; first remove those of workers that died."""
    _remove_those_of_dead_workers()
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{process_table.identity()}-"))


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, as far as that is allowed."""
    if sys.version_info >= (3, 12):
        shutil.rmtree(folder, onexc=_make_writable)
    else:
        shutil.rmtree(folder, onerror=_make_writable)


@cache
def _remove_those_of_dead_workers() -> None:
    """Once per process."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*-*-*"):
        owner = folder.name.removeprefix(_PREFIX).rpartition("-")[0]
        if not process_table.is_alive(owner):
            remove_folder(folder)


def _make_writable(function: Callable[..., Any], path: str, problem: Any) -> None:
    """A program may have taken away its own right to remove a file: that is the folder's."""
    with suppress(OSError):
        parent = Path(path).parent
        parent.chmod(parent.stat().st_mode | stat.S_IRWXU)
        if Path(path).is_dir() and not Path(path).is_symlink():
            Path(path).chmod(stat.S_IRWXU)
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)  # noqa: PTH108 - the path as it was given
