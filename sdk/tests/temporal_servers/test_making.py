"""How the servers are made of what package registries have. Programs stand in for the registries' clients."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.obtaining.commands import CommandFailed
from fixtures.obtaining.go_toolchain import go_version
from fixtures.temporal_servers import development_server, downloading, test_server
from sdk.tests.temporal_servers.known import script

# Answers as `go` does, and notes what it was asked.
_GO = """\
#!{python}
import json, shutil, sys
arguments = sys.argv[1:]
with open({asked!r}, "a") as asked:
    asked.write(" ".join(arguments) + "\\n")
match arguments:
    case ["version"]:
        print("go version go{version} linux/amd64")
    case ["env", *_]:
        print("linux\\namd64")
    case ["mod", "download", "-json", module]:
        print(json.dumps({{"Dir": {modules!r} + "/" + module}}))
    case ["build", *_]:
        shutil.copyfile("cmd/dev_server/main.go", arguments[arguments.index("-o") + 1])
"""


class Machine:
    """A PATH with nothing but the programs that a test puts there."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.programs = folder / "bin"
        self.made = folder / "made"
        self._asked = folder / "asked"
        self._modules = folder / "modules"
        for each in (self.programs, self.made, self._modules):
            each.mkdir()
        monkeypatch.setenv("PATH", str(self.programs))

    def has_go(self, version: str) -> None:
        """A Go of that version, whose modules are read-only, as Go leaves them."""
        module = self._modules / f"{development_server.MODULE}@{development_server.VERSION}"
        (module / "cmd").mkdir(parents=True)
        (module / "cmd").chmod(0o555)
        go = _GO.format(python=sys.executable, asked=str(self._asked), modules=str(self._modules), version=version)
        script(self.programs / "go", go)
        toolchain = self._modules / "golang.org" / "toolchain@v0.0.1-go1.26.8.linux-amd64"
        (toolchain / "bin").mkdir(parents=True)
        (toolchain / "pkg" / "tool").mkdir(parents=True)
        (toolchain / "bin" / "go").write_text(go.replace(f"go{version}", "go1.26.8"))

    def asked(self) -> list[str]:
        """What Go was asked, in order; only the first words."""
        return [line.split(" -", 1)[0] for line in self._asked.read_text().splitlines()]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_the_development_server_is_built_inside_its_module(machine: Machine) -> None:
    machine.has_go("1.26.8")
    development_server.build(machine.made, "server")
    assert "package main" in (machine.made / "server").read_text()
    assert machine.asked() == ["version", "mod download", "mod edit", "build"]


@pytest.mark.parametrize("version", ["1.19.8", "1.26.7"])
def test_an_old_go_fetches_the_one_that_is_needed(version: str, machine: Machine) -> None:
    machine.has_go(version)
    development_server.build(machine.made, "server")
    assert machine.asked() == ["version", "env GOOS GOARCH", "mod download", "mod download", "mod edit", "build"]


def test_a_machine_without_go_is_told_what_to_install(machine: Machine) -> None:
    with pytest.raises(CommandFailed, match=r"`go` is not on PATH; install Go, version 1\.19 or newer"):
        development_server.build(machine.made, "server")


def test_the_reason_of_a_failed_build_is_its_first_error(machine: Machine) -> None:
    script(machine.programs / "go", "#!/bin/sh\necho downloading >&2\necho 'error: no route to host.' >&2\nexit 3\n")
    with pytest.raises(CommandFailed, match=r"^`go version` ended with 3: error: no route to host$"):
        development_server.build(machine.made, "server")


@pytest.mark.parametrize(
    ("said", "version"),
    [("go version go1.26.8 linux/amd64", (1, 26, 8)), ("go version go1.27 darwin/arm64", (1, 27, 0))],
)
def test_the_version_of_go_is_read(said: str, version: tuple[int, ...]) -> None:
    assert go_version(said) == version


def test_the_test_server_is_a_script_beside_its_archives(machine: Machine) -> None:
    script(machine.programs / "java", "#!/bin/sh\n")
    script(machine.programs / "mvn", '#!/bin/sh\n[ -f pom.xml ] && printf "%s" "$*" > asked\n')
    test_server.assemble(machine.made, "server")
    assert f"-DoutputDirectory={machine.made}/jars" in (machine.made / "asked").read_text()
    assert test_server.VERSION in (machine.made / "server").read_text()
    assert not (machine.made / "pom.xml").exists()


@pytest.mark.parametrize("missing", ["java", "mvn"])
def test_a_machine_without_java_or_maven_is_told_what_to_install(missing: str, machine: Machine) -> None:
    for program in {"java", "mvn"} - {missing}:
        script(machine.programs / program, "#!/bin/sh\n")
    with pytest.raises(CommandFailed, match=f"`{missing}` is not on PATH; install .*Debian: "):
        test_server.assemble(machine.made, "server")


def test_the_test_server_says_so_when_java_is_gone(machine: Machine) -> None:
    for program in ("java", "mvn"):
        script(machine.programs / program, "#!/bin/sh\n")
    test_server.assemble(machine.made, "server")
    (machine.programs / "java").unlink()
    result = subprocess.run(["/bin/sh", machine.made / "server", "7233"], capture_output=True, text=True)
    assert (result.returncode, result.stderr.count("\n")) == (127, 1)
    assert "java is not on PATH; install a JRE" in result.stderr


def test_a_download_that_leaves_no_file_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(script(machine.programs / "python", "#!/bin/sh\n")))
    with pytest.raises(CommandFailed, match="left 0 files where one was expected"):
        downloading.download_test_server(machine.made, "server")


def test_what_temporalio_has_downloaded_gets_its_name(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    python = script(machine.programs / "python", '#!/bin/sh\necho "$@" > "$5/temporal-cli-1.2.3"\n')
    monkeypatch.setattr(sys, "executable", str(python))
    downloading.download_development_server(machine.made, "server")
    said = (machine.made / "server").read_text()
    assert said.startswith(f"-m fixtures.temporal_servers.downloading dev {development_server.VERSION} ")
