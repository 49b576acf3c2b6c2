"""A server of ours and a worker that is not, each in a process of its own, and people's requests to the first."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx

from e2e.foreign.building import obtain
from e2e.processes import Process

QUEUE: Final = "go"
# Behind a restart, a task whose report was lost is tried again after a minute.
LONGEST_WAIT: Final = 150.0
BETWEEN_LOOKS: Final = 0.02
ENDED: Final = {"COMPLETED", "FAILED", "CANCELLED"}
Shown = TypeVar("Shown")

_EXECUTE: Final = ("-c", "import os, sys; os.execv(sys.argv[1], sys.argv[1:])")


class Deployment:
    """The server on a file, and the worker. Both are there when it is entered, and gone when it is left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[Process] = []
        self._server_arguments = ("--store", str(folder / "store.db"), "--json")
        self._grpc = self._http = ""

    def __enter__(self) -> Self:
        program = obtain()
        try:
            self._server = self._serve("127.0.0.1:0", "127.0.0.1:0")
            arguments = (str(program), "-address", self._grpc)
            self._worker = self._start("worker", *_EXECUTE, *arguments, announces=r"ready (\S+)")
            self._worker.wait_announced()
        except BaseException:  # however it is left, no process may stay
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()

    def kill_and_restart_server(self) -> None:
        """End the server with SIGKILL, and start it again on the same file and ports. The worker stays."""
        self._server.kill()
        self._server = self._serve(self._grpc, self._http)

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the server as the protocol's own tools do; returns the JSON of its answer."""
        answer = httpx.request(method, f"http://{self._http}/api/orgs/default/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def agent(self, kind: str, given: Any) -> str:
        """Create an agent for the worker; returns its id."""
        body = {"kind": kind, "input": given, "queue": QUEUE}
        return str(self.request("POST", "agent-executions", body)["id"])

    def workflow(self, kind: str, given: Any) -> str:
        """Start a workflow for the worker; returns its id."""
        body = {"kind": kind, "input": given, "queue": QUEUE}
        return str(self.request("POST", "workflow-executions", body)["workflowExecutionId"])

    def ended(self, path: str) -> Mapping[str, Any]:
        """What a path shows, as soon as its status is a last one."""
        return self.until(lambda: self.request("GET", path), lambda shown: shown["status"] in ENDED)

    def worker_said(self, line: str) -> re.Match[str]:
        """The first line of the worker that matches, as soon as it is there."""
        found = self.until(lambda: re.search(line, self._worker.logged()), lambda match: match is not None)
        assert found is not None
        return found

    def until(self, look: Callable[[], Shown], holds: Callable[[Shown], bool]) -> Shown:
        """Look until something holds; returns what was seen then."""
        ends = time.monotonic() + LONGEST_WAIT
        while not holds(shown := look()):
            assert time.monotonic() < ends, f"still {shown}"
            time.sleep(BETWEEN_LOOKS)
        return shown

    def logged(self) -> str:
        """What all processes have said."""
        return "\n".join(f"--- {process.name}\n{process.logged()}" for process in self._processes)

    def _serve(self, grpc: str, http: str) -> Process:
        arguments = ("-m", "rescind", "server", "--address", grpc, "--http", http, *self._server_arguments)
        server = self._start("server", *arguments, announces=r'"address": "([^"]+)".*"http": "([^"]+)"')
        self._grpc, self._http = server.wait_announced().groups()
        return server

    def _start(self, name: str, *arguments: str, announces: str) -> Process:
        process = Process(name, arguments, self._folder / f"{name}-{len(self._processes)}.log", announces)
        self._processes.append(process)
        return process
