"""The page's scripts, checked by TypeScript's compiler against the types in their comments.

``python -m e2e.page.typescript`` does it.

The compiler is fetched once from the npm registry, and kept in the cache.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from e2e.page.npm import fetched
from fixtures.obtaining.cache import cache_folder, keep
from fixtures.obtaining.commands import CommandFailed, find

VERSION: Final = "5.9.3"
PROJECT: Final = Path(__file__).parents[2] / "server_stub" / "rescind_server" / "page" / "jsconfig.json"

_INTEGRITY: Final = "jl1vZzPDinLr9eUt3J/t7V6FgNEw9QjvBPdysz9KfQDD41fQrC2Y4vKQdiaUpFT4bXlb1RHhLpp8wtm6M5TgSw=="
_COMPILER: Final = Path("package", "lib", "tsc.js")


def obtain() -> Path:
    """The compiler's archive, fetched if it is not in the cache.

    Raises:
        CommandFailed: it cannot be fetched, or is another than it should be.
    """
    archive = cache_folder() / f"typescript-{VERSION}" / "typescript.tgz"
    if not archive.exists():
        with tempfile.TemporaryDirectory(prefix="rescind-typescript-") as folder:
            keep(fetched("typescript", VERSION, _INTEGRITY, Path(folder)), archive)
    return archive


def check() -> int:
    """Check all scripts, and print what is wrong with them; returns the compiler's exit code, 0 if nothing is.

    Raises:
        CommandFailed: the compiler cannot be had.
    """
    node = find("node", "Debian's nodejs")
    with tempfile.TemporaryDirectory(prefix="rescind-typescript-") as folder:
        _unpack(obtain(), Path(folder))
        return subprocess.run([node, str(Path(folder) / _COMPILER), "--project", str(PROJECT)], check=False).returncode


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as opened:
        for member in opened:
            content = opened.extractfile(member)
            if content is not None:
                (folder / member.name).parent.mkdir(parents=True, exist_ok=True)
                (folder / member.name).write_bytes(content.read())


def main() -> int:
    """Check; returns 0 if nothing is wrong, and 1 else, or after one line of why the compiler cannot be had."""
    try:
        return min(check(), 1)
    except CommandFailed as failed:
        print(f"TypeScript cannot be had: {failed}.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
