"""The Go worker's program: stubs are generated from `proto/flovyn`, and it is built from them and `worker/`.

`python -m e2e.foreign.building` builds it. The result is kept in the cache until a source or a version changes.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from fixtures.obtaining.cache import cache_folder, keep
from fixtures.obtaining.commands import CommandFailed, run
from fixtures.obtaining.go_toolchain import GO, Go, new_enough_go

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = Path(__file__).with_name("worker")
PROTOS: Final = ROOT / "proto"
PACKAGE: Final = "rescind.test/foreign"
GENERATORS: Final = {
    "protoc-gen-go": "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12",
    "protoc-gen-go-grpc": "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2",
}


def obtain() -> Path:
    """The program, built if it is not in the cache.

    Raises:
        CommandFailed: Go is missing, or something could not be fetched or built.
    """
    program = cache_folder() / f"foreign-worker-{_identity()}"
    if not program.exists():
        with tempfile.TemporaryDirectory(prefix="rescind-foreign-") as folder:
            keep(_build(Path(folder)), program)
    return program


def _identity() -> str:
    digest = hashlib.sha256(repr((GO, sorted(GENERATORS.items()))).encode())
    for source in (*sorted(SOURCES.iterdir()), *_protos()):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def _protos() -> list[Path]:
    return sorted((PROTOS / "flovyn").rglob("*.proto"))


def _build(folder: Path) -> Path:
    go = new_enough_go(folder)
    source = folder / "worker"
    shutil.copytree(SOURCES, source)
    _generate(go, source, folder / "generators")
    program = folder / "foreign-worker"
    run([go.path, "vet", "./..."], source, go.environment)
    run([go.path, "build", "-trimpath", "-buildvcs=false", "-o", str(program), "."], source, go.environment)
    return program


def _generate(go: Go, source: Path, generators: Path) -> None:
    for module in GENERATORS.values():
        run([go.path, "install", module], source, {**go.environment, "GOBIN": str(generators)})
    package = f"{PACKAGE}/flovyn"
    options = [f"--{plugin}_opt=module={PACKAGE}" for plugin in ("go", "go-grpc")]
    names = [str(proto.relative_to(PROTOS)) for proto in _protos()]
    options += [f"--{plugin}_opt=M{name}={package}" for plugin in ("go", "go-grpc") for name in names]
    options += [f"--plugin={name}={generators / name}" for name in GENERATORS]
    outputs = [f"--go_out={source}", f"--go-grpc_out={source}"]
    run([sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", *options, *outputs, *names], PROTOS)


def main() -> int:
    """Print where it is; returns 0, or 1 after one line of why it cannot be had."""
    try:
        print(obtain())
    except CommandFailed as failed:
        print(f"the Go worker cannot be built: {failed}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
