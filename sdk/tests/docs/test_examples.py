"""Every Python example of the manual runs.

The ```python blocks of a page, put together in their order, are a test module: what stands outside functions runs, and
each test in it is run by pytest, with the plugin, as a reader would run it. A line of the module has the number of its
line on the page, so a traceback points into the page.

A block behind ``<!-- not run: reason -->`` is left out.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

pytest_plugins = ["pytester"]

ROOT: Final = Path(__file__).parents[3]
FENCE: Final = re.compile(r"^( *)(`{3,}|~{3,}) *(\S*)")
NOT_RUN: Final = re.compile(r"^<!-- not run(?:: *(.*?))? *-->$")
MOST_LEFT_OUT: Final = 2
# These need a server, and run in sdk/tests/temporal/test_manual.py.
ON_TEMPORAL: Final = frozenset({"docs/migrating.md", "docs/temporal.md"})


@dataclass(frozen=True, slots=True)
class Block:
    first_line: int
    lines: tuple[str, ...]
    not_run: str | None


def pages() -> list[str]:
    """Those with Python in them. The reference is made from docstrings."""
    found = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    return sorted(str(path.relative_to(ROOT)) for path in found if list(blocks_of(path.read_text("utf-8"))))


def blocks_of(page: str) -> Iterator[Block]:
    """The ```python blocks of a page, those that are not to be run among them."""
    lines = iter(enumerate(page.splitlines(), start=1))
    said_before = ""
    for number, line in lines:
        fence = FENCE.match(line)
        if fence is None:
            said_before = line.strip() or said_before
            continue
        inside = []
        for _, inner in lines:
            if inner.strip() == fence[2]:
                break
            inside.append(inner)
        else:
            raise ValueError(f"the block that begins in line {number} has no end")
        if fence[3] == "python":
            not_run = NOT_RUN.match(said_before)
            code = textwrap.dedent("\n".join(inside)).splitlines()
            yield Block(number + 1, tuple(code), None if not_run is None else not_run[1] or "")
        said_before = ""


def module_of(page: str) -> str:
    """A page's blocks as one module, each line where it stands on the page."""
    lines = [""] * (page.count("\n") + 1)
    for block in blocks_of(page):
        if block.not_run is None:
            lines[block.first_line - 1 : block.first_line - 1 + len(block.lines)] = block.lines
    return "\n".join(lines)


@pytest.mark.parametrize("page", sorted(set(pages()) - ON_TEMPORAL))
def test_the_examples_of_a_page_run(page: str, pytester: pytest.Pytester) -> None:
    run_page(page, pytester)


def run_page(page: str, pytester: pytest.Pytester) -> None:
    """Run the examples of a page, as its readers would."""
    module = pytester.path / f"test_{Path(page).stem.replace('-', '_')}.py"
    module.write_text(module_of((ROOT / page).read_text("utf-8")), "utf-8")
    command = (module, "-W", "error", "--strict-markers", "-o", "asyncio_default_fixture_loop_scope=function")
    result = pytester.runpytest_subprocess(*command, "-q", "-p", "no:cacheprovider")
    outcomes = result.parseoutcomes()
    assert outcomes.keys() <= {"passed"}, f"{page}: {outcomes}\n{result.stdout.str()}"
    assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED), result.stdout.str()


@pytest.mark.parametrize("page", pages())
def test_a_block_that_is_not_run_says_why(page: str) -> None:
    left_out = [block for block in blocks_of((ROOT / page).read_text("utf-8")) if block.not_run is not None]
    assert all(block.not_run for block in left_out), "write <!-- not run: and the reason -->"
    assert len(left_out) <= MOST_LEFT_OUT, f"{page} shows {len(left_out)} examples that nobody checks"


PAGE: Final = """\
Text.
```python
first = 1
```
<!-- not run: it would charge a card -->
```python
second = nonsense(
```
```text
third = 3
```
- In a list:
  ```python
  if first:
      fourth = 4
  ```
"""


def test_a_line_of_the_module_has_the_number_of_its_line_on_the_page() -> None:
    lines = module_of(PAGE).splitlines()
    assert {number: line for number, line in enumerate(lines, start=1) if line} == {
        3: "first = 1",
        14: "if first:",
        15: "    fourth = 4",
    }


def test_the_reason_of_a_block_that_is_not_run_is_read() -> None:
    assert [block.not_run for block in blocks_of(PAGE)] == [None, "it would charge a card", None]


def test_an_example_that_is_wrong_is_noticed(pytester: pytest.Pytester) -> None:
    page = "```python\nasync def test_it(rescind_env) -> None:\n    assert rescind_env.now() is None\n```\n"
    module = pytester.makepyfile(module_of(page))
    result = pytester.runpytest_subprocess(module, "-W", "error", "-o", "asyncio_default_fixture_loop_scope=function")
    result.assert_outcomes(failed=1)
