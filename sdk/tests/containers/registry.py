"""A registry of the tests' own, which has one image, and hands it out when it is told to."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from sdk.tests.containers.engine import file_system

_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_FIRST_PIECE: Final = 1024


class Registry:
    """Serves on a port of the loopback, from which engines pull without TLS. Use it as a context manager.

    Attributes:
        asked: set when a layer has been asked for, and its first bytes have been handed out.
        hands_out: set if the rest follows; until then it comes by the byte.
        was_left: set when whoever asked for a layer went away before its end.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.hands_out = threading.Event()
        self.was_left = threading.Event()
        files = file_system()
        layer = gzip.compress(files)
        digests = ["sha256:" + hashlib.sha256(files).hexdigest()]
        configuration = json.dumps(
            {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": digests}}
        ).encode()
        self._layer = _digest(layer)
        self._blobs = {self._layer: layer, _digest(configuration): configuration}
        kind = "application/vnd.docker."
        self._manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": _described(f"{kind}container.image.v1+json", configuration),
                "layers": [_described(f"{kind}image.rootfs.diff.tar.gzip", layer)],
            }
        ).encode()
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry._answer(self)

            do_HEAD = do_GET  # noqa: N815 - as the base class wants it

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._serving = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def image(self) -> str:
        """The reference of its image."""
        return f"127.0.0.1:{self._server.server_port}/team/tool:1"

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hands_out.set()
        self._server.shutdown()
        self._serving.join()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        _, _, place = request.path.rpartition("/")
        if request.path == "/v2/":
            self._give(request, b"{}", "application/json")
        elif "/manifests/" in request.path and "/team/tool/" in request.path:
            self._give(request, self._manifest, _MANIFEST)
        elif place in self._blobs:
            self._give(request, self._blobs[place], "application/octet-stream", waits=place == self._layer)
        else:
            said = json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}).encode()
            self._give(request, said, "application/json", status=404)

    def _give(
        self, request: BaseHTTPRequestHandler, data: bytes, kind: str, *, status: int = 200, waits: bool = False
    ) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(data)))
        if kind == _MANIFEST:
            request.send_header("Docker-Content-Digest", _digest(data))
        request.end_headers()
        if request.command == "HEAD":
            return
        try:
            if waits:
                data = self._trickle(request, data)
            request.wfile.write(data)
        except OSError:
            self.was_left.set()

    def _trickle(self, request: BaseHTTPRequestHandler, data: bytes) -> bytes:
        """Write a few bytes at a time, until the rest may follow; returns the rest."""
        request.wfile.write(data[:_FIRST_PIECE])
        self.asked.set()
        written = _FIRST_PIECE
        while not self.hands_out.wait(0.01):
            request.wfile.write(data[written : written + 1])
            written += 1
        return data[written:]


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _described(kind: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(data), "digest": _digest(data)}
