"""A container engine of the tests' own: Docker's daemon, with its socket and its data in a temporary folder.

With ``RESCIND_TESTED_ENGINE=podman`` it is Podman's service instead.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any, Final

import httpx

IMAGE: Final = "busybox-of-tests:1"
_APPLETS: Final = (
    *("sh", "cat", "echo", "env", "head", "id", "kill", "printf", "pwd"),
    *("seq", "setsid", "sleep", "tail", "touch", "true", "yes"),
)
_COMES_UP_WITHIN: Final = 60.0
_ENDS_WITHIN: Final = 30.0


class TestEngine:
    """One daemon. It can be killed and started anew, on the same data.

    Attributes:
        address: as DOCKER_HOST names it.
    """

    __test__ = False
    _image = IMAGE

    def __init__(self, folder: Path, *options: str) -> None:
        """An engine that is not started yet, with further options for its daemon."""
        self._folder = folder
        self._options = options
        self._socket = str(folder / "docker.sock")
        self.address = f"unix://{self._socket}"
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns when it answers."""
        folder = self._folder
        # Its containerd dies with a daemon that is killed; its number may mean another process by now.
        (folder / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)
        with (folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
            )
        until = time.monotonic() + _COMES_UP_WITHIN
        while not self._answers():
            if self._daemon.poll() is not None or time.monotonic() > until:
                raise RuntimeError(
                    f"{self._command()[0]} did not come up:\n{(folder / 'log').read_text('utf-8', 'replace')[-4_000:]}"
                )
            time.sleep(0.05)

    def kill(self) -> None:
        """End the daemon as a crash does; what runs in containers runs on."""
        assert self._daemon is not None
        self._daemon.kill()
        self._daemon.wait()

    def stop(self) -> None:
        """End it in order, with all that runs on it, and remove its files: pytest would keep them for three runs."""
        assert self._daemon is not None
        if self._daemon.poll() is None:
            self._daemon.send_signal(signal.SIGTERM)
            self._daemon.wait(_ENDS_WITHIN)
        self._remove_files()

    def _environment(self) -> dict[str, str]:
        """Without proxies, which the registries of tests are not behind; with the folders in which daemons lie."""
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        return {**environment, "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])}

    def _command(self) -> list[str]:
        folder = self._folder
        options = ["--iptables=false", "--ip6tables=false", "--bridge=none", "--host", self.address]
        places = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
        return ["dockerd", *options, *places, *self._options]

    def _remove_files(self) -> None:
        """One that was killed has not unmounted what it had mounted."""
        mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text("utf-8").splitlines()]
        for place in reversed([place for place in mounted if place.startswith(f"{self._folder}/")]):
            subprocess.run(["umount", place], check=True)
        shutil.rmtree(self._folder)

    def ask(self, method: str, path: str, body: Any = None, **parameters: str) -> Any:
        """One call of its API, by no code that is under test."""
        with self._client() as client:
            answer = client.request(method, path, params=parameters, json=body)
            answer.raise_for_status()
            return answer.json() if answer.content[:1] in (b"[", b"{") else None

    def containers(self) -> list[dict[str, Any]]:
        """All containers, those that have ended too."""
        found: list[dict[str, Any]] = self.ask("GET", "/containers/json", all="1")
        return found

    def remove_all(self) -> None:
        """Remove what a test has left, so that the next one is not blamed for it."""
        for each in self.containers():
            self.ask("DELETE", f"/containers/{each['Id']}", force="1")

    def make_image(self) -> None:
        """Make IMAGE: nothing but a static busybox, and links to it."""
        with self._client() as client:
            parameters = {"fromSrc": "-", "repo": self._image}
            client.post("/images/create", params=parameters, content=file_system()).raise_for_status()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(self._socket)
            except OSError:
                return False
        with self._client() as client:
            return client.get("/_ping").is_success

    def _client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.HTTPTransport(uds=self._socket), base_url="http://engine", timeout=60)


class TestPodman(TestEngine):
    """Podman's service, which speaks Docker's API."""

    # Where it looks for an image without a registry, and not where it puts one.
    _image = f"docker.io/library/{IMAGE}"

    def start(self) -> None:
        """See `TestEngine.start`."""
        # It asks for more open files and processes than a machine of tests may allow.
        limits = '"nofile=1024:1024", "nproc=1024:1024"'
        (self._folder / "containers.conf").write_text(f"[containers]\ndefault_ulimits = [{limits}]\n")
        super().start()

    def _environment(self) -> dict[str, str]:
        return {**super()._environment(), "CONTAINERS_CONF": f"{self._folder}/containers.conf"}

    def _command(self) -> list[str]:
        folder = self._folder
        places = ["--root", f"{folder}/data", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]
        service = ["--cgroup-manager", "cgroupfs", "system", "service", "--time", "0", self.address]
        return ["podman", *places, *service, *self._options]


def make_engine(folder: Path) -> TestEngine:
    """The engine that is to be tested, not started yet."""
    return (TestPodman if os.environ.get("RESCIND_TESTED_ENGINE") == "podman" else TestEngine)(folder)


def file_system() -> bytes:
    """The image's files, as a tar archive."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise RuntimeError("these tests need busybox: `nox -s containers` installs busybox-static")
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.add(busybox, "bin/busybox")
        for name in _APPLETS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        for path, text in (("etc/passwd", "root:x:0:0::/:/bin/sh\nguest:x:1000:1000::/:/bin/sh\n"),):
            entry = tarfile.TarInfo(path)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return file.getvalue()
