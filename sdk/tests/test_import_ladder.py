"""The import arrows point down one ladder. Each room can then be read, tested and moved without those above it.

Imports are read from the source, those inside functions too: hiding an import there does not undo the arrow. Only
what stands under `if TYPE_CHECKING:` is free, since nothing runs it.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
HOMES: Final[Mapping[str, Path]] = {
    "rescind_proto": ROOT / "proto",
    "rescind": ROOT / "sdk",
    "rescind_server": ROOT / "server_stub",
    "fixtures": ROOT,
    "e2e": ROOT,
    "bench": ROOT,
}
PACKAGES_OF_ROOMS: Final = {"rescind", "rescind_server"}

# The table of contents of a package stands above the rooms that it may open.
RUNG: Final[Mapping[str, float]] = {
    "rescind_proto": 0,
    "rescind.errors": 1,
    "rescind.interpreter": 1,
    "rescind.model": 2,
    "rescind.settings": 3,
    "rescind.telemetry": 3,
    "rescind.authoring": 3,
    "rescind.executors": 3.5,
    "rescind_server.access": 4,
    "rescind_server.engine": 4,
    "rescind_server.store": 4,
    "rescind_server.host": 5,
    "rescind_server.telling": 5.5,
    "rescind_server.webhooks": 5.5,
    "rescind.transport": 6,
    "rescind_server.gateway": 6,
    "rescind.runtime": 7,
    "rescind_server.app": 7,
    "rescind_server": 7.5,
    "rescind.backends": 8,
    "rescind.flovyn": 8,
    "rescind.client": 9,
    "rescind.worker": 9,
    "rescind.embedding": 10,
    "rescind.temporal": 10,
    "rescind.testing": 11,
    "fixtures": 11,
    "rescind": 11.5,
    "rescind.cli": 12,
    "rescind.__main__": 13,
    "e2e": 13,
    "bench": 13,
}
HIGHEST_OPENED_BY_IMPORT_RESCIND: Final = 7

ALLOWED_BESIDE_THE_LADDER: Final = {
    ("rescind_server.store", "rescind_server.engine"),  # the store keeps what the engine decides on
    ("rescind_server.gateway", "rescind.transport"),  # both ends speak one wire
    ("fixtures", "rescind"),  # written as users write: from the table of contents
}
REFUSED_BESIDE_THE_LADDER: Final = {
    ("rescind", "fixtures"),  # not in the wheel
}


@dataclass(frozen=True, slots=True)
class Import:
    importer: str
    imported: str
    line: int
    when_loaded: bool

    def __str__(self) -> str:
        return f"{self.importer}, line {self.line}: {self.imported}"


class ImportReader(ast.NodeVisitor):
    """Collects the modules of this repository that one module imports."""

    def __init__(self, module: str, is_package: bool, known: Iterable[str]) -> None:
        self._module = module
        self._package = module if is_package else module.rpartition(".")[0]
        self._known = frozenset(known)
        self._function_depth = 0
        self.found: list[Import] = []

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = self._absolute(node)
        for alias in node.names:
            self._add(f"{base}.{alias.name}", node.lineno)

    def visit_If(self, node: ast.If) -> None:
        if is_for_type_checkers(node.test):
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        # The name of a module, as text: what `import_module` is given, wherever that is called.
        if isinstance(node.value, str) and "." in node.value and node.value in self._known:
            self._add(node.value, node.lineno, when_loaded=False)

    def _visit_function(self, node: ast.AST) -> None:
        self._function_depth += 1
        self.generic_visit(node)
        self._function_depth -= 1

    def _absolute(self, node: ast.ImportFrom) -> str:
        if node.level == 0:
            return node.module or ""
        parts = self._package.split(".")
        return ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])

    def _add(self, name: str, line: int, *, when_loaded: bool = True) -> None:
        # `from package import name`: a module if there is one of that name, otherwise something of the package.
        while name and name not in self._known:
            name = name.rpartition(".")[0]
        if name and name != self._module:
            self.found.append(Import(self._module, name, line, when_loaded and self._function_depth == 0))


def is_for_type_checkers(test: ast.expr) -> bool:
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
    return False


def read_imports(module: str, source: str, *, is_package: bool, known: Iterable[str]) -> list[Import]:
    reader = ImportReader(module, is_package, known)
    reader.visit(ast.parse(source))
    return reader.found


@cache
def modules() -> Mapping[str, Path]:
    return dict(module for name, home in HOMES.items() for module in modules_below(name, home))


def modules_below(name: str, home: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted((home / name).rglob("*.py")):
        parts = path.relative_to(home).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


@cache
def imports() -> tuple[Import, ...]:
    return tuple(
        found
        for module, path in modules().items()
        for found in read_imports(
            module, path.read_text("utf-8"), is_package=path.name == "__init__.py", known=modules()
        )
    )


def room_of(module: str) -> str:
    top, *rest = module.split(".")
    return f"{top}.{rest[0]}" if top in PACKAGES_OF_ROOMS and rest else top


@cache
def imports_between_rooms() -> Mapping[tuple[str, str], list[Import]]:
    between: dict[tuple[str, str], list[Import]] = defaultdict(list)
    for found in imports():
        pair = room_of(found.importer), room_of(found.imported)
        if pair[0] != pair[1]:
            between[pair].append(found)
    return dict(sorted(between.items()))


@cache
def rooms() -> list[str]:
    return sorted({room_of(module) for module in modules()})


def is_allowed(importer: str, imported: str) -> bool:
    if (importer, imported) in REFUSED_BESIDE_THE_LADDER:
        return False
    return (importer, imported) in ALLOWED_BESIDE_THE_LADDER or RUNG[imported] < RUNG[importer]


def listed(found: Iterable[Import]) -> str:
    return "".join(f"\n  {each}" for each in found)


@pytest.mark.parametrize("room", rooms())
def test_every_room_has_its_rung(room: str) -> None:
    assert room in RUNG, f"{room} stands nowhere on the ladder: give it a rung in {Path(__file__).name}, or move it"


@pytest.mark.parametrize(
    ("importer", "imported"), [pytest.param(*pair, id=f"{pair[0]}->{pair[1]}") for pair in imports_between_rooms()]
)
def test_imports_point_down_the_ladder(importer: str, imported: str) -> None:
    if not {importer, imported} <= RUNG.keys():
        return  # told by test_every_room_has_its_rung
    found = imports_between_rooms()[importer, imported]
    assert is_allowed(importer, imported), (
        f"{importer} (rung {RUNG[importer]:g}) must not know {imported} (rung {RUNG[imported]:g}):{listed(found)}"
    )


@pytest.mark.parametrize("room", rooms())
def test_no_room_has_an_import_cycle(room: str) -> None:
    within = [found for found in imports() if room_of(found.importer) == room_of(found.imported) == room]
    graph: dict[str, set[str]] = defaultdict(set)
    for found in within:
        graph[found.importer].add(found.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = set(error.args[1])
        knot = [found for found in within if {found.importer, found.imported} <= cycle]
        pytest.fail(f"{room} has an import cycle:{listed(knot)}")


def test_import_rescind_loads_the_higher_rooms_only_when_asked() -> None:
    eager = [
        found
        for found in imports()
        if found.importer == "rescind"
        and found.when_loaded
        and RUNG.get(room_of(found.imported), 0) > HIGHEST_OPENED_BY_IMPORT_RESCIND
    ]
    assert not eager, f"import these inside `__getattr__`:{listed(eager)}"


def test_the_ladder_sees_the_imports_that_are_there() -> None:
    assert ("rescind_server.engine", "rescind.model") in imports_between_rooms()


KNOWN: Final = ["pack", "pack.room", "pack.room.one", "pack.room.two", "pack.other"]


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        pytest.param("import pack.other", "pack.other", id="import"),
        pytest.param("from pack.other import thing", "pack.other", id="from a module"),
        pytest.param("from pack.room import two", "pack.room.two", id="a module from a package"),
        pytest.param("from pack.room import thing", "pack.room", id="a name from a package"),
        pytest.param("from .two import thing", "pack.room.two", id="relative"),
        pytest.param("from ..other import thing", "pack.other", id="relative, one up"),
        pytest.param("from .. import other", "pack.other", id="relative, a module of the package"),
        pytest.param("def call():\n    import pack.other", "pack.other", id="inside a function"),
        pytest.param("LATER = {'thing': 'pack.other'}", "pack.other", id="by its name, later"),
        pytest.param("try:\n    import pack.other\nexcept ImportError: ...", "pack.other", id="inside try"),
        pytest.param("if TYPE_CHECKING: ...\nelse:\n    import pack.other", "pack.other", id="for the run alone"),
    ],
)
def test_an_import_is_seen(source: str, imported: str) -> None:
    found = read_imports("pack.room.one", source, is_package=False, known=KNOWN)
    assert [each.imported for each in found] == [imported]


@pytest.mark.parametrize(
    "source",
    [
        "if TYPE_CHECKING:\n    import pack.other",
        "import typing\nif typing.TYPE_CHECKING:\n    from pack import other",
        "import json",
    ],
)
def test_what_only_type_checkers_read_and_what_is_not_ours_is_free(source: str) -> None:
    assert read_imports("pack.room.one", source, is_package=False, known=KNOWN) == []


def test_an_import_inside_a_function_is_not_made_on_loading() -> None:
    source = "import pack.other\ndef call():\n    import pack.room.two"
    found = read_imports("pack.room.one", source, is_package=False, known=KNOWN)
    assert [each.when_loaded for each in found] == [True, False]
