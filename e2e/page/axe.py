"""axe, the accessibility checker: fetched once from the npm registry, kept in the cache, and run in a page.

`python -m e2e.page.axe` fetches it.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from e2e.page.npm import fetched
from fixtures.obtaining.cache import cache_folder, keep
from fixtures.obtaining.commands import CommandFailed

VERSION: Final = "4.14.1"
_INTEGRITY: Final = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
_SCRIPT: Final = "package/axe.min.js"
_RUN: Final = """async () => {
    const found = await axe.run(document, {resultTypes: ["violations"]});
    return found.violations.map(each => ({
        rule: each.id, impact: each.impact, help: each.help, nodes: each.nodes.map(node => node.html.slice(0, 300)),
    }));
}"""
_REFUSED: Final = {"serious", "critical"}


def obtain() -> Path:
    """The script, fetched if it is not in the cache.

    Raises:
        CommandFailed: it cannot be fetched, or is another than it should be.
    """
    script = cache_folder() / f"axe-core-{VERSION}" / "axe.min.js"
    if not script.exists():
        with tempfile.TemporaryDirectory(prefix="rescind-axe-") as folder:
            keep(_fetched(Path(folder)), script)
    return script


def serious_issues(page: Page) -> Sequence[Mapping[str, Any]]:
    """What axe finds on a page as it stands, and calls serious or critical: each with its rule, help and places."""
    # Not as a script element, which the page's own policy would refuse.
    page.evaluate(f"{obtain().read_text()}; undefined")
    found: Sequence[Mapping[str, Any]] = page.evaluate(_RUN)
    return [each for each in found if each["impact"] in _REFUSED]


def _fetched(folder: Path) -> Path:
    script = folder / "axe.min.js"
    with tarfile.open(fetched("axe-core", VERSION, _INTEGRITY, folder)) as opened:
        packed = opened.extractfile(_SCRIPT)
        assert packed is not None
        script.write_bytes(packed.read())
    return script


def main() -> int:
    """Print where it is; returns 0, or 1 after one line of why it cannot be had."""
    try:
        print(obtain())
    except CommandFailed as failed:
        print(f"axe cannot be had: {failed}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
