"""What the host of one execution asks of whoever it runs in: its workflow, or a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rescind.backends.native.agent_port import StepFunction
from rescind.model.children import ChildEffect
from rescind.model.commands import Command
from rescind.model.ids import Instant, Lease
from rescind.model.messages import StopOrder, TaskActivation
from rescind.model.options import TaskOptions

Tell = Callable[[Command], None]
"""Takes what an effect has brought about, whenever that is."""


class Effects(Protocol):
    """What a host can bring about. Nothing here waits; what comes of it is told later."""

    def now(self) -> Instant:
        """The time. It stands still within a turn, and never goes back."""

    def start_attempt(self, activation: TaskActivation, options: TaskOptions, scheduled_at: Instant) -> None:
        """Let some worker run an attempt. What comes of it is told by `Host.attempt_ended` or `Host.attempt_lost`."""

    def stop_attempt(self, order: StopOrder) -> None:
        """Let whoever runs an attempt ask for the order that stands; repeating it is harmless."""

    def run_step(self, position: int, name: str, function: StepFunction) -> None:
        """Run a side effect of the agent. What comes of it is told by `Host.step_ended`."""

    def cancel_step(self, position: int) -> None:
        """Nobody waits for a side effect any more."""

    def forget_attempt(self, lease: Lease) -> None:
        """Nothing of the attempt is at work any more."""

    def carry_out(self, effect: ChildEffect) -> None:
        """Do what is asked of a child, or of the parent. What comes of it is told by `Host.tell`."""

    def should_move_on(self) -> bool:
        """Whether the workflow's history has grown long, so that it had better continue as new."""
