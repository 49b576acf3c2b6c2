"""What a change must pass. `nox -l` prints this list; `nox` alone runs all that CI runs."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True  # a session that cannot run has not passed
nox.options.stop_on_first_error = bool(os.environ.get("CI"))

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")

# A backend joins the matrix by its name here, and by the same name in e2e/backends.
BACKENDS = ["embedded-memory", "embedded-sqlite", "server", "flovyn"]
# These need more than pip. The session `temporal` plays on them.
TEMPORAL_BACKENDS = ["temporal-skipping", "temporal-dev"]
# The tests that other sessions run leave these out.
NO_SESSION_OF_THEIR_OWN = "not foreign and not invariants and not containers and not temporal and not page"
# Tells e2e/conftest.py which sessions belong together: their results stand in one table, and no older ones do. Whoever
# runs nox several times sets it himself.
RUN = os.environ.get("RESCIND_E2E_RUN") or secrets.token_hex(8)

# What the container tests need beside pip: programs, and the Debian packages that bring them.
ENGINE = {"dockerd": "docker.io", "busybox": "busybox-static"}
# What the tests of the page need: a browser, and npm for what checks types and accessibility.
BROWSER = {"chromium": "chromium", "npm": "npm", "node": "nodejs"}
# What building from Go's modules needs beside pip. An old Go fetches the one that is needed.
GO = {"go": "golang"}
# What making Temporal's servers needs beside pip, where they are not given.
MAKERS_OF_TEMPORAL = {
    "RESCIND_TEMPORAL_DEV_SERVER": GO,
    "RESCIND_TEMPORAL_TEST_SERVER": {"mvn": "maven", "java": "default-jre-headless"},
}
SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])

# What the core dependencies bring along. A new name here is a decision, not an accident.
BROUGHT_ALONG = {"markdown-it-py", "mdurl", "pygments", "colorama"}
PART_OF_EVERY_ENVIRONMENT = {"pip", "setuptools"}


@nox.session
def check(session: nox.Session) -> None:
    """Format, lint and strict types over everything: what a push must pass."""
    furnish(session, "lint", "test", "page")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """The tests of both packages, on all cores. `-- ARGS` go to pytest instead."""
    furnish(session, "test")
    session.run("pytest", *what_to_test(session, ["sdk/tests", "server_stub/tests"], ["-n", "auto"]))


@nox.session
@nox.parametrize("backend", BACKENDS)
def e2e(session: nox.Session, backend: str) -> None:
    """The scenarios from end to end, once for each backend; the last session shows the table of all of them."""
    furnish(session, "test")
    arguments = what_to_test(session, ["e2e"], ["--ignore=e2e/crash"])
    session.run("pytest", *arguments, env={"RESCIND_BACKEND": backend, "RESCIND_E2E_RUN": RUN})


@nox.session
def crash(session: nox.Session) -> None:
    """Real processes, killed, frozen and cut off; 20 runs. The full session: `-- --runs 200`; one: `-- --seed N`."""
    furnish(session, "test")
    if "--seed" not in session.posargs:
        session.run("pytest", "e2e/crash", "-n", "auto")
    session.run("python", "-m", "e2e.crash", *session.posargs)


@nox.session
def http(session: nox.Session) -> None:
    """The served OpenAPI document against a real server, by schemathesis. `-- --examples N` looks further."""
    furnish(session, "test", "http")
    session.run("python", "-m", "e2e.document", *session.posargs)


@nox.session
def invariants(session: nox.Session) -> None:
    """Explore: the invariants under many orders of events, with faults. Prints a line for each exploration."""
    furnish(session, "test")
    # An exploration takes a minute where nothing else runs, and several beside others: not yet one that hangs.
    session.run("pytest", "-m", "invariants", "-n", "auto", "-rP", "-o", "faulthandler_timeout=600", *session.posargs)


@nox.session(default=False)
def containers(session: nox.Session) -> None:
    """Tasks in containers, on a Docker Engine that the tests start and stop. Debian's packages are fetched, as root."""
    furnish(session, "test")
    fetch_engine(session)
    session.run("pytest", "-m", "containers", *(session.posargs or ["sdk/tests/containers"]))


@nox.session(default=False)
def page(session: nox.Session) -> None:
    """The page in Debian's Chromium, which is fetched, as root. Writes pictures of each view into build/page."""
    furnish(session, "test", "page")
    install_packages(session, BROWSER)
    session.run("python", "-m", "e2e.page.typescript")
    session.run("python", "-m", "e2e.page.axe", silent=True)
    session.run("pytest", "-m", "page", *(session.posargs or ["e2e/page"]))


@nox.session(default=False)
def foreign(session: nox.Session) -> None:
    """A worker in Go, its stubs made from `proto/flovyn` by Go's generators, against a real server. Go is fetched."""
    furnish(session, "test", "proto")
    install_packages(session, GO)
    session.run("python", "-m", "e2e.foreign.building", silent=True)
    session.run("pytest", "-m", "foreign", *(session.posargs or ["e2e/foreign"]))


@nox.session(default=False)
def temporal(session: nox.Session) -> None:
    """Agents on Temporal: on its test server and its development server, which are made once, in minutes, and kept.

    The tests of `rescind.temporal`, 200 generated agents among them, and then the scenarios from end to end.
    """
    furnish(session, "test")
    fetch_temporal(session)
    if not session.posargs:
        # For the one test that needs both. Two packages are fetched in seconds, and Temporal's servers made in minutes.
        fetch_engine(session)
    session.run("pytest", "-m", "temporal", *(session.posargs or ["sdk/tests/temporal"]))
    if not session.posargs:
        environment = {"RESCIND_BACKEND": " ".join(TEMPORAL_BACKENDS), "RESCIND_E2E_RUN": RUN}
        others = ["--ignore=e2e/crash", "--ignore=e2e/test_recovery.py"]
        session.run("pytest", "-m", NO_SESSION_OF_THEIR_OWN, "e2e", *others, env=environment)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the manual into site/; a warning is an error."""
    furnish(session, "docs")
    session.run("mkdocs", "build", "--strict", "--clean", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def package(session: nox.Session) -> None:
    """Build wheel and sdist, install the wheel alone, run its demo, look at what came along."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "package"))
    scratch = Path(session.create_tmp()).resolve()
    shutil.rmtree(scratch / "dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(scratch / "dist"), silent=True)
    (wheel,) = (scratch / "dist").glob("*.whl")
    check_contents(session, wheel)
    session.run("python", "-m", "venv", "--clear", str(scratch / "fresh"))
    with session.chdir(scratch):  # away from the sources, which must not stand in for the wheel
        check_installed(session, wheel)


@nox.session(default=False)
def proto(session: nox.Session) -> None:
    """Generate the package rescind_proto from proto/ anew. The tests notice when it is not what the files say."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "proto"))
    session.run("python", "proto/generate.py")


@nox.session(default=False, python=["3.12", "3.13"])
def compat(session: nox.Session) -> None:
    """Tests and scenarios on the newer Pythons; not in CI, since it needs those interpreters."""
    furnish(session, "test")
    session.run("pytest", "-m", NO_SESSION_OF_THEIR_OWN, *(session.posargs or ["-n", "auto"]))


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure everything, beside its floors; never asserted. `-- --quick` takes two minutes, `-- --list` names it."""
    furnish(session, "bench", "page")
    session.run("python", "-m", "bench", *session.posargs)


def furnish(session: nox.Session, *groups: str) -> None:
    """Install the package and these dependency groups, unless the environment has them already."""
    stamp = Path(session.virtualenv.location) / "furnished"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + repr(groups).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    session.install("-e", ".[testing]", *nox.project.dependency_groups(PYPROJECT, *groups))
    stamp.write_text(wanted)


def fetch_engine(session: nox.Session) -> None:
    """Install what the container tests start, unless it is there."""
    install_packages(session, ENGINE)


def fetch_temporal(session: nox.Session) -> None:
    """Make the servers of Temporal, unless they are given or were made before, and install what that needs.

    What cannot be installed may not be needed: temporalio can download them, and whoever makes them says what it lacks.
    """
    for variable, programs in MAKERS_OF_TEMPORAL.items():
        if not os.environ.get(variable) and can_install_packages():
            install_packages(session, programs)
    session.run("python", "-m", "fixtures.temporal_servers")


def can_install_packages() -> bool:
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def install_packages(session: nox.Session, programs: Mapping[str, str]) -> None:
    """Install the Debian packages that bring these programs, unless they are there."""
    missing = [package for program, package in programs.items() if shutil.which(program, path=SYSTEM_PATH) is None]
    if not missing:
        return
    if not can_install_packages():
        session.error(f"this needs {', '.join(missing)}. Install them, or run it as root where there is apt-get.")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    session.run("apt-get", "update", "--quiet", external=True, silent=True, env=environment)
    install = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *missing]
    session.run(*install, external=True, silent=True, env=environment)


def what_to_test(session: nox.Session, paths: list[str], options: list[str]) -> list[str]:
    """The arguments of pytest. Posted arguments replace the options, and the paths too if they name some."""
    names_a_path = any((ROOT / argument.partition("::")[0]).exists() for argument in session.posargs)
    return ["-m", NO_SESSION_OF_THEIR_OWN, *([] if names_a_path else paths), *(session.posargs or options)]


def check_contents(session: nox.Session, wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    packages = {"rescind", "rescind_server", "rescind_proto"}
    needed = {f"{name}/{file}" for name in packages for file in ("__init__.py", "py.typed")}
    needed |= {f"rescind_proto/flovyn/v1/{file}_pb2.py" for file in ("agent", "flovyn")}
    # What a server reads beside its modules: it is missed only when it is asked for.
    server = ROOT / "server_stub" / "rescind_server"
    read = [file for folder in ("page", "store") for file in (server / folder).iterdir() if file.is_file()]
    needed |= {str(file.relative_to(server.parent)) for file in read}
    if missing := needed - names:
        session.error(f"{wheel.name} lacks {', '.join(sorted(missing))}")
    roots = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    if roots != packages:
        session.error(f"{wheel.name} should hold the three packages alone, and holds {', '.join(sorted(roots))}")


def check_installed(session: nox.Session, wheel: Path) -> None:
    programs = Path("fresh", "Scripts" if os.name == "nt" else "bin").resolve()
    python = str(programs / "python")
    session.run(python, "-m", "pip", "install", "--quiet", str(wheel), external=True)
    check_dependencies(session, python)
    session.run(python, "-c", "import rescind, rescind_server", external=True)
    output = session.run(str(programs / "rescind"), "demo", "--json", external=True, silent=True, stderr=None)
    if not holds_json(str(output)):
        session.error(f"`rescind demo --json` printed something other than JSON: {output!r}")


def check_dependencies(session: nox.Session, python: str) -> None:
    question = "import importlib.metadata as m; print(*(d.name.lower() for d in m.distributions()))"
    installed = str(session.run(python, "-c", question, external=True, silent=True, stderr=None)).split()
    direct = {requirement.split(">")[0].strip() for requirement in PYPROJECT["project"]["dependencies"]}
    strangers = set(installed) - direct - BROUGHT_ALONG - PART_OF_EVERY_ENVIRONMENT - {"rescind"}
    if strangers:
        session.error(f"the core should stay light, and brought along {', '.join(sorted(strangers))}")


def holds_json(output: str) -> bool:
    """One document, or one on each line."""
    try:
        json.loads(output)
    except ValueError:
        lines = output.strip().splitlines()
        return len(lines) > 1 and all(holds_json(line) for line in lines)
    return True
