"""All that a bare clone needs, with nothing but Python.

    python3 dev.py demo [options of `rescind demo`]    shows Rescind at work on its embedded engine
    python3 dev.py test [options of `nox`]             passes every check that a change must pass

Both make `.venv` beside this file when there is none, install there what they need, and run it. An active virtual
environment is left as it is.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

# Before anything below is read: older Pythons know neither the annotations nor the packages that follow.
if sys.version_info < (3, 11):  # noqa: UP036 (the one file that older Pythons may meet)
    sys.exit("dev.py: Rescind needs Python 3.11 or newer; {} is {}.{}".format(sys.executable, *sys.version_info[:2]))

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
PROGRAMS = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON = PROGRAMS / "python"

NEEDS = {
    "demo": ["--editable", str(ROOT)],
    "test": ["nox>=2024.10.9"],  # each nox session furnishes its own environment
}
PROGRAM = {
    "demo": [str(PROGRAMS / "rescind"), "demo"],
    "test": [str(PYTHON), "-m", "nox", "--noxfile", str(ROOT / "noxfile.py")],
}


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] not in NEEDS:
        print(__doc__, file=sys.stderr)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    name, options = sys.argv[1], sys.argv[2:]
    if not has_working_environment():
        quietly("making .venv", [sys.executable, "-m", "venv", str(ENVIRONMENT)])
    install(name)
    return run([*PROGRAM[name], *options])


def has_working_environment() -> bool:
    question = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([PYTHON, "-c", question], capture_output=True).returncode == 0
    except OSError:
        return False


def install(name: str) -> None:
    """Install what the command needs, unless this was done for the same pyproject.toml at the same place."""
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str([sys.version, *PROGRAM[name]]).encode())
    stamp = ENVIRONMENT / f"installed-for-{name}"
    if stamp.exists() and stamp.read_text() == wanted.hexdigest():
        return
    quietly(f"installing what `{name}` needs into .venv", [str(PYTHON), "-m", "pip", "install", *NEEDS[name]])
    stamp.write_text(wanted.hexdigest())


def quietly(doing: str, command: list[str]) -> None:
    """Say in one line what is done, and in one more why it failed."""
    print(f"dev.py: {doing}", file=sys.stderr)
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        lines = [line.strip() for line in (result.stderr + result.stdout).splitlines() if line.strip()]
        reason = next((line for line in lines if "ERROR:" in line), lines[-1] if lines else "no reason given")
        sys.exit(f"dev.py: {doing} failed; is the network there, and on Debian python3-venv? {reason}")


def run(command: list[str]) -> int:
    if os.name == "posix":
        os.execv(command[0], command)  # becomes the program, so that Ctrl+C and exit codes are the program's own
    return subprocess.call(command)


if __name__ == "__main__":
    sys.exit(main())
