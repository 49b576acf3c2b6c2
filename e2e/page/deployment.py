"""A server on a file that asks for tokens, and a worker, each in a process of its own, as people run them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from e2e.page.waiting import LONGEST, eventually
from e2e.processes import Process
from rescind.model.ids import Instant
from rescind_server.access.token_file import TokenFile, beside
from rescind_server.access.tokens import Role

_SERVING: Final = r'"address": "([^"]+)".*"http": "([^"]+)"'
WORKER_ID: Final = "worker-1"


@dataclass(frozen=True)
class Tokens:
    """A token's text for each role.

    Attributes:
        operator: sees and cancels everything.
        viewer: sees everything, and changes nothing.
        client: sees and cancels what it started.
        worker: runs code.
    """

    operator: str
    viewer: str
    client: str
    worker: str


class Deployment:
    """The processes, and calls that the tests make beside the page.

    Attributes:
        store: the server's file.
        tokens: who is let in.
        url: where the server serves HTTP.
        worker: the worker's process.
        http: calls the server as an operator.
    """

    def __init__(self, folder: Path, *options: str, asks_for_tokens: bool = True) -> None:
        """Start them. Returns when the server serves; the worker joins it when it is ready.

        Args:
            folder: an empty folder for all that they write.
            options: further ones of `rescind server`.
            asks_for_tokens: whether it does; otherwise access is open.
        """
        self.store = folder / "store.db"
        # Those of another file are not known to the server, which has none.
        self.tokens = make_tokens(self.store if asks_for_tokens else folder / "nowhere.db")
        self._folder = folder
        self._options = options
        self._servers = 0
        self._added: list[Process] = []
        self._address, self._http_address = "127.0.0.1:0", "127.0.0.1:0"
        self.server = self._start_server()
        try:
            self.url = f"http://{self._http_address}"
            headers = {"authorization": f"Bearer {self.tokens.operator}"}
            self.http = httpx.Client(base_url=self.url, headers=headers, timeout=LONGEST)
            self.worker = self._start_worker(WORKER_ID, "worker.log")
        except BaseException:  # however it is left, no process may stay
            self.server.kill()
            raise

    def kill_server(self) -> None:
        """End the server with SIGKILL."""
        self.server.kill()

    def start_server_again(self) -> None:
        """Start a server on the same file and the same ports. Returns when it serves."""
        self.server = self._start_server()

    def start(
        self,
        kind: str,
        given: Any = None,
        *,
        execution_id: str,
        labels: Mapping[str, str] | None = None,
        queue: str | None = None,
    ) -> str:
        """Start an agent; returns the execution's id."""
        body = {"kind": kind, "input": given, "execution_id": execution_id, "labels": dict(labels or {})}
        if queue is not None:
            body["queue"] = queue
        self.http.post("/api/v1/executions", json=body).raise_for_status()
        return execution_id

    def signal(self, execution_id: str, name: str, value: Any = None) -> None:
        """Send a signal."""
        answer = self.http.post(f"/api/v1/executions/{execution_id}/signal", json={"name": name, "value": value})
        answer.raise_for_status()

    def status(self, execution_id: str) -> str:
        """Where an execution stands."""
        return str(self._read(f"/api/v1/executions/{execution_id}")["status"])

    def tasks(self, execution_id: str) -> Sequence[Mapping[str, Any]]:
        """The tasks of an execution, as HTTP shows them."""
        tasks: Sequence[Mapping[str, Any]] = self._read(f"/api/v1/tasks?execution_id={execution_id}")["tasks"]
        return tasks

    def history(self, execution_id: str) -> Sequence[Mapping[str, Any]]:
        """The history of an execution, as HTTP shows it."""
        events: Sequence[Mapping[str, Any]] = self._read(f"/api/v1/executions/{execution_id}/history")["events"]
        return events

    def wait_status(self, execution_id: str, status: str) -> None:
        """Wait until an execution stands there."""
        eventually(lambda: self.status(execution_id) == status, f"{execution_id} is {status}")

    def wait_running(self, execution_id: str, count: int = 1) -> Sequence[str]:
        """Wait until so many tasks of an execution run; returns their ids, in the order of their scheduling."""

        def running() -> Sequence[str]:
            return [each["task_id"] for each in self.tasks(execution_id) if each["status"] == "RUNNING"]

        eventually(lambda: len(running()) == count, f"{count} tasks of {execution_id} run")
        return running()

    def children(self, execution_id: str) -> Sequence[str]:
        """The ids of an execution's children, the newest first."""
        found = self.http.get("/api/v1/executions", params={"parent_id": execution_id}).raise_for_status().json()
        return [each["execution_id"] for each in found["executions"]]

    def wait_children(self, execution_id: str, count: int) -> Sequence[str]:
        """Wait until an execution has so many children; returns their ids, the newest first."""
        eventually(lambda: len(self.children(execution_id)) == count, f"{execution_id} has {count} children")
        return self.children(execution_id)

    def logged(self) -> str:
        """What all of them have said."""
        return "\n".join(f"--- {each.name}\n{each.logged()}" for each in (self.server, self.worker, *self._added))

    def add_worker(self, worker_id: str) -> None:
        """Start another worker, of this id."""
        self._added.append(self._start_worker(worker_id, f"worker-{len(self._added) + 2}.log"))

    def kill(self) -> None:
        """Leave nothing behind."""
        self.http.close()
        self.worker.thaw()
        for process in (self.worker, *self._added, self.server):
            process.kill()

    def _read(self, path: str) -> Any:
        return self.http.get(path).raise_for_status().json()

    def _start_server(self) -> Process:
        self._servers += 1
        place = ("--store", str(self.store), "--address", self._address, "--http", self._http_address)
        process = Process(
            "server",
            ("-m", "rescind", "server", *place, *self._options, "--json"),
            self._folder / f"server-{self._servers}.log",
            announces=_SERVING,
        )
        found = process.wait_announced()
        self._address, self._http_address = found[1], found[2]
        return process

    def _start_worker(self, worker_id: str, log: str) -> Process:
        file = self._folder / "worker.token"
        file.write_text(self.tokens.worker)
        place = (self._address, str(file), worker_id)
        return Process("worker", ("-m", "e2e.page.worker_process", *place), self._folder / log)


def make_tokens(store: Path) -> Tokens:
    """Make a token of each role beside a store."""
    file, now = TokenFile(beside(store)), Instant(time.time_ns() // 1_000)
    names = {Role.OPERATOR: "olga", Role.VIEWER: "vera", Role.CLIENT: "carl", Role.WORKER: "works"}
    texts = {role: file.create(name, role, now)[1] for role, name in names.items()}
    return Tokens(texts[Role.OPERATOR], texts[Role.VIEWER], texts[Role.CLIENT], texts[Role.WORKER])


@contextmanager
def deployed(folder: Path, *options: str, asks_for_tokens: bool = True) -> Iterator[Deployment]:
    """A deployment for as long as the block lasts. Where the block fails, what the processes logged is printed."""
    deployment = Deployment(folder, *options, asks_for_tokens=asks_for_tokens)
    try:
        yield deployment
    except BaseException:  # also pytest's own, and Ctrl+C: the logs are wanted then, too
        print(deployment.logged())
        raise
    finally:
        deployment.kill()
