"""A container engine's HTTP API, as Docker and Podman both have it: the few calls that an attempt needs."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from rescind.errors import InvalidInput, RescindError
from rescind.worker.executors.docker_address import EngineAddress, EngineUnavailable, find_engine

if TYPE_CHECKING:
    import httpx

# An engine whose disk is busy takes its time to make or to remove a container.
_ANSWERS_WITHIN: Final = 60.0
_CONNECTS_WITHIN: Final = 5.0
_FRAME: Final = struct.Struct(">BxxxL")
_STREAMS: Final = {1: "stdout", 2: "stderr"}
_LOOK_AGAIN_AFTER: Final = 0.02
_REMOVED_WITHIN: Final = 30.0
_REMOVED_AT_ONCE: Final = 16


class EngineRefused(RescindError):
    """An engine did not do what it was asked for.

    Attributes:
        status: the HTTP status; 0 if it came behind the answer's beginning.
        said: what the engine said.
    """

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status
        self.said = said


class ContainerState(NamedTuple):
    """How a container stands.

    Attributes:
        is_running: whether its processes live.
        exit_code: its exit code; 128 and the signal's number if a signal ended it.
        oom_killed: whether something in it was killed because its memory was used up.
    """

    is_running: bool
    exit_code: int
    oom_killed: bool


class DockerEngine:
    """One engine. Each call has a connection of its own: none that is idle holds a loop in virtual time."""

    def __init__(self, address: EngineAddress) -> None:
        """Open nothing yet.

        Raises:
            EngineUnavailable: its certificates cannot be read.
        """
        self.address = address
        self._transport = _transport_of(address)
        self._options: dict[str, Any] = {"base_url": address.url, "timeout": _timeout(), "trust_env": False}
        transport = _async_transport(address, self._transport["verify"])
        self._client = _httpx().AsyncClient(transport=transport, **self._options)

    async def ping(self) -> None:
        """Return if it answers."""
        await self.ask("GET", "/_ping")

    async def pull(self, image: str) -> None:
        """Fetch an image; cancelled, the engine gives up fetching.

        Raises:
            EngineRefused: there is no such image, or its registry does not hand it out.
        """
        parameters = {"fromImage": image if _has_version(image) else f"{image}:latest"}
        async with self._stream("POST", "/images/create", parameters) as answer, _reached(self.address):
            async for line in answer.aiter_lines():
                said = json.loads(line) if line.strip() else {}
                if "error" in said:
                    raise EngineRefused(0, str(said["error"]))

    async def create(self, name: str, configuration: Mapping[str, Any]) -> None:
        """Make a container that does not run yet."""
        await self.ask("POST", "/containers/create", {"name": name}, configuration)

    async def start(self, name: str) -> None:
        """Let it run."""
        await self.ask("POST", f"{_path(name)}/start")

    async def signal(self, name: str, signal_name: str) -> bool:
        """Send a signal to its first process; returns whether it ran and was sent it."""
        try:
            await self.ask("POST", f"{_path(name)}/kill", {"signal": signal_name})
        except EngineRefused as error:
            if error.status in (404, 409):
                return False
            raise
        return True

    async def wait(self, name: str) -> None:
        """Return when it does not run any more. Only for one that was started."""
        parameters = {"condition": "not-running"}
        async with self._stream("POST", f"{_path(name)}/wait", parameters) as answer, _reached(self.address):
            said = json.loads(await answer.aread() or b"{}")
        if "StatusCode" not in said:
            # An engine that ends closes its answers in order, with nothing in them.
            raise EngineUnavailable(f"the container engine at {self.address.said} went away.")

    async def state(self, name: str) -> ContainerState:
        """How it stands."""
        state = (await self.ask("GET", f"{_path(name)}/json"))["State"]
        return ContainerState(bool(state["Running"]), int(state["ExitCode"]), bool(state.get("OOMKilled")))

    async def remove(self, name: str) -> None:
        """Kill what runs in it, and remove it; returns when it is gone. Of no effect if there is none of this name."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _REMOVED_WITHIN
        while True:
            try:
                await self.ask("DELETE", _path(name), _REMOVING)
            except EngineRefused as error:
                if error.status == 404:
                    return
                # 409: another is removing it, or it is being started. 500: something in it was still in use.
                if loop.time() > until:
                    raise
            await asyncio.sleep(_LOOK_AGAIN_AFTER)

    async def labelled(self, label: str) -> dict[str, dict[str, str]]:
        """All containers that bear a label, running or not: their labels by their ids."""
        filters = json.dumps({"label": [label]})
        listed = await self.ask("GET", "/containers/json", {"all": "1", "filters": filters})
        return {str(each["Id"]): dict(each["Labels"]) for each in listed}

    @asynccontextmanager
    async def attached(self, name: str) -> AsyncIterator[AsyncIterator[tuple[str, bytes]]]:
        """What it writes from now on, as pieces with the name of their stream: ``stdout`` or ``stderr``."""
        parameters = {"stream": "1", "stdout": "1", "stderr": "1"}
        async with self._stream("POST", f"{_path(name)}/attach", parameters) as answer:
            yield _pieces(answer)

    def remove_now(self, names: Mapping[str, bool]) -> None:
        """Remove containers while the event loop stands still; returns when they are gone, or the engine is.

        Args:
            names: and whether each is certain to exist. One that is not may be about to be made.
        """
        if not _is_there(self.address):
            return
        httpx = _httpx()
        with (
            httpx.Client(transport=httpx.HTTPTransport(**self._transport), **self._options) as client,
            ThreadPoolExecutor(min(_REMOVED_AT_ONCE, len(names))) as threads,
        ):
            for name, exists in names.items():
                threads.submit(_remove_now, client, name, exists)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.aclose()

    async def ask(self, method: str, path: str, parameters: Mapping[str, str] | None = None, body: Any = None) -> Any:
        """One call; returns the decoded answer, None if it is no JSON.

        Raises:
            EngineUnavailable: no engine answers.
            EngineRefused: it answers with an error.
        """
        async with _reached(self.address):
            answer = await self._client.request(method, path, params=parameters, json=body)
        _check(answer.status_code, answer.content)
        return answer.json() if answer.content[:1] in (b"{", b"[") else None

    @asynccontextmanager
    async def _stream(self, method: str, path: str, parameters: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """A call whose answer takes as long as it takes."""
        timeout = _httpx().Timeout(None, connect=_CONNECTS_WITHIN)
        request = self._client.build_request(method, path, params=parameters, timeout=timeout)
        async with _reached(self.address):
            answer = await self._client.send(request, stream=True)
        try:
            if answer.is_error:
                async with _reached(self.address):
                    _check(answer.status_code, await answer.aread())
            yield answer
        finally:
            await answer.aclose()


_REMOVING: Final = {"force": "1", "v": "1"}


def connect() -> DockerEngine:
    """The engine that is found.

    Raises:
        EngineUnavailable: none is found.
    """
    return DockerEngine(find_engine())


def check_installed() -> None:
    """Raise InvalidInput unless what engines are spoken to with is installed."""
    _httpx()


def _httpx() -> Any:
    try:
        import httpx  # noqa: PLC0415 - of an extra, and slow to import
    except ImportError:
        raise InvalidInput(
            "a task runs in a container, and what engines are spoken to with is not installed: "
            "pip install 'rescind[containers]'."
        ) from None
    return httpx


def _transport_of(address: EngineAddress) -> dict[str, Any]:
    limits = _httpx().Limits(max_connections=None, max_keepalive_connections=0)
    return {"uds": address.socket, "verify": address.tls(), "limits": limits}


def _async_transport(address: EngineAddress, tls: ssl.SSLContext | bool) -> Any:
    from rescind.worker.executors.engine_connection import EngineTransport  # noqa: PLC0415 - needs httpx

    context = tls if isinstance(tls, ssl.SSLContext) else _httpx().create_ssl_context(verify=tls)
    return EngineTransport(address.socket, context if address.url.startswith("https:") else None)


def _timeout() -> Any:
    return _httpx().Timeout(_ANSWERS_WITHIN, connect=_CONNECTS_WITHIN)


@asynccontextmanager
async def _reached(address: EngineAddress) -> AsyncIterator[None]:
    try:
        yield
    except _httpx().TransportError as error:
        raise EngineUnavailable(
            f"no container engine answers at {address.said}: {_reason_of(error, address)}. "
            "Start it, or say in DOCKER_HOST where one is."
        ) from None


def _is_there(address: EngineAddress) -> bool:
    """Whether somebody listens at a Unix socket: httpx's client that blocks would leak its own if nobody does."""
    if address.socket is None:
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address.socket)
        except OSError:
            return False
    return True


def _reason_of(error: BaseException, address: EngineAddress) -> str:
    """The system's own words, if they are at the bottom of it."""
    bottom = error
    while bottom.__cause__ or bottom.__context__:
        bottom = bottom.__cause__ or bottom.__context__ or bottom
    if isinstance(bottom, ssl.SSLError):
        # Its number is one of TLS, not of the system.
        return f"no TLS with it: {getattr(bottom, 'verify_message', '') or bottom.reason}"
    if address.certificates is not None and isinstance(bottom, BrokenPipeError | ConnectionResetError):
        # Since TLS 1.3 a certificate is refused behind the handshake, and what says so may be lost with the connection.
        return "no TLS with it: it hung up, as an engine does that refuses a certificate or misses one"
    if isinstance(bottom, OSError) and bottom.errno is not None and bottom.errno > 0:
        return os.strerror(bottom.errno)
    return str(error) or type(error).__name__


def _check(status: int, content: bytes) -> None:
    if status < 400:
        return
    try:
        said = str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        said = content.decode("utf-8", "replace").strip() or f"HTTP status {status}"
    raise EngineRefused(status, said)


async def _pieces(answer: httpx.Response) -> AsyncIterator[tuple[str, bytes]]:
    """Take the frames apart: a byte for the stream, three that mean nothing, four for the length of what follows."""
    data = bytearray()
    with suppress(_httpx().TransportError):  # whoever waits for the container's end hears of it, too
        async for chunk in answer.aiter_raw():
            data += chunk
            begin = 0
            while len(data) - begin >= _FRAME.size:
                number, size = _FRAME.unpack_from(data, begin)
                end = begin + _FRAME.size + size
                if end > len(data):
                    break
                if number in _STREAMS:
                    yield _STREAMS[number], bytes(data[begin + _FRAME.size : end])
                begin = end
            del data[:begin]


def _remove_now(client: httpx.Client, name: str, exists: bool) -> None:
    loops = int(_CONNECTS_WITHIN / _LOOK_AGAIN_AFTER)
    with suppress(_httpx().TransportError):
        for _ in range(loops):
            status = client.delete(_path(name), params=_REMOVING).status_code
            exists = exists or status != 404
            if exists and status == 404:
                return
            time.sleep(_LOOK_AGAIN_AFTER)


def _path(name: str) -> str:
    return f"/containers/{quote(name, safe='')}"


def _has_version(image: str) -> bool:
    """Whether a reference says which version; without one, an engine would fetch all of them."""
    return ":" in image.rpartition("/")[2] or "@" in image
