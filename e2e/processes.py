"""Processes of our own: started, waited for until they say that they are there, frozen, killed, never left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
LONGEST_START: Final = 60.0
LONGEST_STOP: Final = 30.0
LONGEST_LAST_WORDS: Final = 1.0

# Where the kernel can do it: whoever started it may be killed, too, and nothing is to be left behind.
_DIES_WITH_ITS_PARENT: Final = (
    "import ctypes, os, signal, sys; "
    "ctypes.CDLL(None).prctl(1, signal.SIGKILL); "  # PR_SET_PDEATHSIG
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
_LAUNCHER: Final = ("-I", "-S", "-c", _DIES_WITH_ITS_PARENT) if sys.platform == "linux" else ()


class ProcessFailed(AssertionError):
    """A process did not do what it was started for; the text holds what it logged."""


class Process:
    """One process. What it prints, on either output, is appended to its log.

    Attributes:
        name: what people call it.
        log: the file.
    """

    def __init__(self, name: str, arguments: Sequence[str], log: Path, announces: str | None = None) -> None:
        """Start it.

        Args:
            name: what people call it.
            arguments: of the Python interpreter.
            log: where its output is appended.
            announces: the regular expression that its output matches as soon as it is there.
        """
        self.name = name
        self.log = log
        self._announces = re.compile(announces) if announces is not None else None
        self._announced: re.Match[str] | None = None
        self._has_announced_or_ended = threading.Event()
        self._is_asked_to_stop = False
        self._process = subprocess.Popen(
            [sys.executable, *_LAUNCHER, *arguments],
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, name=f"output of {name}", daemon=True)
        self._reader.start()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait_announced(self) -> re.Match[str]:
        """Wait until it says that it is there; returns what it said.

        Raises:
            ProcessFailed: it ended before, or took too long.
        """
        self._has_announced_or_ended.wait(LONGEST_START)
        if self._announced is None:
            raise ProcessFailed(f"{self.name} never said that it is there. It logged:\n{self.logged()}")
        return self._announced

    def wait_ended(self) -> None:
        """Wait until it has ended of itself.

        Raises:
            ProcessFailed: it goes on; it was killed.
        """
        try:
            self._process.wait(LONGEST_STOP)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ProcessFailed(f"{self.name} did not end. It logged:\n{self.logged()}") from None
        self._close()

    def kill(self) -> None:
        """End it with SIGKILL, at once. Repeating it is harmless."""
        if self.is_running:
            self._process.kill()
        self._close()

    def freeze(self) -> None:
        """Let it stand still (SIGSTOP) until `thaw`."""
        if self.is_running:
            os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        if self.is_running:
            os.kill(self._process.pid, signal.SIGCONT)

    def ask_to_stop(self) -> None:
        """Send it SIGTERM, once: a second one would end a process that is about to exit."""
        if self.is_running and not self._is_asked_to_stop:
            self._is_asked_to_stop = True
            self._process.terminate()

    def stop(self) -> None:
        """Ask it to stop, and wait for its end.

        Raises:
            ProcessFailed: it took too long, and was killed; or its exit code is not 0.
        """
        self.ask_to_stop()
        try:
            code = self._process.wait(LONGEST_STOP)
        except subprocess.TimeoutExpired:
            # Those of ours that know this signal say what they wait for.
            self._process.send_signal(signal.SIGUSR1)
            time.sleep(LONGEST_LAST_WORDS)
            self.kill()
            raise ProcessFailed(f"{self.name} did not stop. It logged:\n{self.logged()}") from None
        self._close()
        if code != 0:
            raise ProcessFailed(f"{self.name} ended with exit code {code}. It logged:\n{self.logged()}")

    def logged(self) -> str:
        """All that it has printed."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _close(self) -> None:
        self._process.wait()
        # The last of what it said; nobody else holds the other end of its output.
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self.log.open("a") as log:
            for line in self._process.stdout:
                log.write(line)
                log.flush()
                if self._announced is None and self._announces is not None:
                    self._announced = self._announces.search(line)
                    if self._announced is not None:
                        self._has_announced_or_ended.set()
        self._has_announced_or_ended.set()


def _environment() -> Mapping[str, str]:
    # What the developer has set for a server of theirs is not meant for these.
    return {name: value for name, value in os.environ.items() if not name.startswith("RESCIND_")} | {
        "PYTHONUNBUFFERED": "1"
    }
