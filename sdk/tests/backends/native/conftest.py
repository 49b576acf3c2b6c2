"""A loop, its timers, and a run: new for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rescind.backends.native.agent_loop import AgentLoop

from .agents import START, Run, Timers


@pytest.fixture
def timers() -> Timers:
    return Timers()


@pytest.fixture
def loop(timers: Timers) -> Iterator[AgentLoop]:
    loop = AgentLoop(timers, START)
    yield loop
    loop.close()


@pytest.fixture
def run() -> Iterator[Run]:
    run = Run()
    yield run
    run.loop.close()
