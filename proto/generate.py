"""Makes the package ``rescind_proto`` from the files beside this one: ``python proto/generate.py [TARGET]``.

The path of a .proto file is its path in every language (``rescind/v1/worker.proto``). In Python it stands one package
deeper, since ``rescind`` is the SDK: ``rescind_proto.rescind.v1.worker_pb2``. So do the files of flovyn.v1, the public
protocol that is spoken besides our own: ``rescind_proto.flovyn.v1.agent_pb2``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).parent
PACKAGE: Final = SOURCES / "rescind_proto"
FOLDERS: Final = ("flovyn", "rescind")
HEADER: Final = "# Generated from {source} by `nox -s proto`. Do not edit: change that file, and run it again.\n"
_IMPORT: Final = re.compile(rf"^(from|import) ({'|'.join(FOLDERS)})\.", re.MULTILINE)


def generate(target: Path) -> None:
    """Write the package anew.

    Args:
        target: its folder, which is emptied first; the name of the folder is the name of the package.

    Raises:
        subprocess.CalledProcessError: a file cannot be compiled; the compiler has said why.
    """
    sources = sorted(path for folder in FOLDERS for path in (SOURCES / folder).rglob("*.proto"))
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    included = files("grpc_tools") / "_proto"
    arguments = [f"-I{SOURCES}", f"-I{included}", f"--python_out={target}", f"--pyi_out={target}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *arguments, *map(str, sources)], check=True)
    for path in target.rglob("*.py*"):
        _finish(path, target)
    for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        (folder / "__init__.py").write_text(
            '"""Generated: the messages of the wire. See `proto/` for what they mean."""\n'
        )
    (target / "py.typed").touch()


def _finish(path: Path, target: Path) -> None:
    source = path.relative_to(target).as_posix().replace("_pb2.pyi", ".proto").replace("_pb2.py", ".proto")
    text = _IMPORT.sub(rf"\1 {target.name}.\2.", path.read_text())
    path.write_text(HEADER.format(source=f"proto/{source}") + text)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE)
