"""Tests of agents: mocks without an engine, the real engine in virtual time, and many legal orders of events.

`MockAgentContext` for a unit test, `Environment` for the real engine, `explore` for all that can happen to it; `run`
runs a program in virtual time, and the pytest plugin does so for tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rescind.testing.environment import Environment
    from rescind.testing.exploration import ExploredSeed, ExploreReport, explore
    from rescind.testing.history_rules import BrokenRule, check_history
    from rescind.testing.mock_agent import MockAgentContext
    from rescind.testing.mock_answers import Calls, MockTask
    from rescind.testing.mock_scheduled import CancelRequest, ScheduledTask
    from rescind.testing.mock_task import MockTaskContext
    from rescind.testing.mock_workflow import MockWorkflowContext
    from rescind.testing.replaying import ReplayedWorkflow, replay_workflow
    from rescind.testing.virtual_time import Deadlock, VirtualTimeLoop, run

# Opened when first asked for: every pytest session loads the plugin, and few of its tests need all of this.
_LATER = {
    "BrokenRule": "history_rules",
    "Calls": "mock_answers",
    "CancelRequest": "mock_scheduled",
    "Deadlock": "virtual_time",
    "Environment": "environment",
    "ExploreReport": "exploration",
    "ExploredSeed": "exploration",
    "MockAgentContext": "mock_agent",
    "MockTask": "mock_answers",
    "MockTaskContext": "mock_task",
    "MockWorkflowContext": "mock_workflow",
    "ReplayedWorkflow": "replaying",
    "ScheduledTask": "mock_scheduled",
    "VirtualTimeLoop": "virtual_time",
    "check_history": "history_rules",
    "explore": "exploration",
    "replay_workflow": "replaying",
    "run": "virtual_time",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - see _LATER

    value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    # A function may share its module's name: what is asked for once is what stays.
    globals()[name] = value
    return value


__all__ = [
    "BrokenRule",
    "Calls",
    "CancelRequest",
    "Deadlock",
    "Environment",
    "ExploreReport",
    "ExploredSeed",
    "MockAgentContext",
    "MockTask",
    "MockTaskContext",
    "MockWorkflowContext",
    "ReplayedWorkflow",
    "ScheduledTask",
    "VirtualTimeLoop",
    "check_history",
    "explore",
    "replay_workflow",
    "run",
]
