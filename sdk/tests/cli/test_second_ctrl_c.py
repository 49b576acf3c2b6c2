"""Ctrl+C twice at a worker: whatever it runs is gone with it, however deaf. Servers: `gateway/test_stopping.py`."""

from __future__ import annotations

import os
import signal
import time

import pytest

from sdk.tests.cli.programs import Programs, in_time, next_event
from sdk.tests.worker.executors.observed import alive_with


@pytest.fixture
def sign() -> str:
    """A number of seconds that no other process sleeps."""
    return f"{8_500_000 + os.getpid()}.{time.time_ns() % 1_000_000}"


def sleeping(sign: str) -> int:
    """How many do nothing but sleep for so long."""
    return sum(line.startswith("sleep ") for line in alive_with(sign))


def test_a_second_ctrl_c_at_a_worker_kills_all_that_it_runs(served: Programs, sign: str) -> None:
    worker = served.begin("worker", "--allow-shell", "*", "--queue", "programs", "--json")
    assert next_event(worker)["event"] == "working"
    deaf = f"trap '' TERM INT; (setsid sh -c \"trap '' TERM INT; sleep {sign}; true\" &); sleep {sign}; true"
    started = served.run("run", "--detach", "--queue", "programs", "--grace", "10000", deaf)
    assert started.returncode == 0, started.stderr
    in_time(lambda: sleeping(sign) == 2 or None)
    worker.send_signal(signal.SIGINT)
    assert next_event(worker)["event"] == "stopping"
    assert sleeping(sign) == 2
    worker.send_signal(signal.SIGINT)
    assert in_time(worker.poll) == -signal.SIGINT
    in_time(lambda: sleeping(sign) == 0 or None)
