"""Where the container engine is: found as the clients of Docker and Podman find theirs."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from rescind.errors import RescindError

_TLS_PORT: Final = 2376
_PLAIN_PORT: Final = 2375


class EngineUnavailable(RescindError):
    """No container engine answers: it does not run, it cannot be reached, or it went away."""


class EngineAddress(NamedTuple):
    """How an engine is reached.

    Attributes:
        said: as people write it: ``unix:///var/run/docker.sock``.
        socket: the path of its Unix socket; None if it is reached over TCP.
        url: what paths of its API are put behind.
        certificates: the folder of ``ca.pem``, ``cert.pem`` and ``key.pem``; None without TLS.
        verifies: whether the engine's own certificate is checked.
    """

    said: str
    socket: str | None
    url: str
    certificates: Path | None = None
    verifies: bool = True

    def tls(self) -> ssl.SSLContext | bool:
        """What an HTTP client is given as `verify`."""
        if self.certificates is None:
            return False
        try:
            context = ssl.create_default_context(cafile=self.certificates / "ca.pem" if self.verifies else None)
            if not self.verifies:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if (self.certificates / "cert.pem").exists():
                context.load_cert_chain(self.certificates / "cert.pem", self.certificates / "key.pem")
        except OSError as error:
            raise EngineUnavailable(
                f"the certificates for the container engine at {self.said} cannot be read in {self.certificates}: "
                f"{error}. Correct DOCKER_CERT_PATH."
            ) from None
        return context


def find_engine(environment: Mapping[str, str] | None = None, home: Path | None = None) -> EngineAddress:
    """Find the engine.

    It is what ``DOCKER_HOST`` names, or Podman's ``CONTAINER_HOST``; or else the context of Docker's command line, if
    one is chosen; or else the first of the default sockets that exists: Docker's, Docker's of this user, Podman's of
    this user, Podman's.

    Args:
        environment: the variables; None is the process's own.
        home: the user's folder; None is that of this user.

    Raises:
        EngineUnavailable: there is none, or what is named cannot be meant.
    """
    given = os.environ if environment is None else environment
    home = home or Path.home()
    for variable in ("DOCKER_HOST", "CONTAINER_HOST"):
        if given.get(variable):
            return _address(given[variable], variable, *_tls_by_variables(given, home))
    chosen = _chosen_context(given, home)
    if chosen is not None:
        return chosen
    sockets = list(_default_sockets(given, home))
    for path in sockets:
        if path.is_socket():
            return _address(f"unix://{path}", "the default socket", None, True)
    raise EngineUnavailable(
        f"no container engine is found: there is no socket at {', '.join(map(str, sockets))}. "
        "Start Docker or Podman, or say in DOCKER_HOST where one is."
    )


def _address(said: str, source: str, certificates: Path | None, verifies: bool) -> EngineAddress:
    parts = urlsplit(said)
    if parts.scheme == "unix" and parts.path:
        return EngineAddress(said, parts.path, "http://engine")
    if parts.scheme in ("tcp", "http", "https") and parts.hostname:
        secure = certificates is not None or parts.scheme == "https"
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = parts.port or (_TLS_PORT if secure else _PLAIN_PORT)
        return EngineAddress(said, None, f"{'https' if secure else 'http'}://{host}:{port}", certificates, verifies)
    raise EngineUnavailable(
        f"{source} is {said!r}: a container engine is reached at unix:///PATH or tcp://HOST:PORT. "
        "To reach one over SSH, forward its socket."
    )


def _tls_by_variables(given: Mapping[str, str], home: Path) -> tuple[Path | None, bool]:
    verifies = bool(given.get("DOCKER_TLS_VERIFY"))
    if not verifies and not given.get("DOCKER_TLS"):
        return None, True
    return Path(given.get("DOCKER_CERT_PATH") or home / ".docker"), verifies


def _chosen_context(given: Mapping[str, str], home: Path) -> EngineAddress | None:
    """The context that the variable names, or else Docker's configuration; ``default`` is none."""
    folder = Path(given.get("DOCKER_CONFIG") or home / ".docker")
    name = given.get("DOCKER_CONTEXT") or _read(folder / "config.json").get("currentContext")
    if not name or name == "default":
        return None
    digest = hashlib.sha256(name.encode()).hexdigest()
    endpoint = _read(folder / "contexts" / "meta" / digest / "meta.json").get("Endpoints", {}).get("docker")
    if not endpoint or not endpoint.get("Host"):
        raise EngineUnavailable(
            f"Docker's context {name!r} is not found in {folder}. Choose one that `docker context ls` shows."
        )
    certificates = folder / "contexts" / "tls" / digest / "docker"
    verifies = not endpoint.get("SkipTLSVerify")
    has_tls = certificates.is_dir() or endpoint["Host"].startswith("https:")
    return _address(endpoint["Host"], f"Docker's context {name!r}", certificates if has_tls else None, verifies)


def _read(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _default_sockets(given: Mapping[str, str], home: Path) -> Iterator[Path]:
    yield Path("/var/run/docker.sock")
    # Where no session of systemd says it, as in a service, it is there all the same.
    runtime = given.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    yield Path(runtime, "docker.sock")
    yield home / ".docker" / "run" / "docker.sock"
    yield Path(runtime, "podman", "podman.sock")
    yield Path("/run/podman/podman.sock")
