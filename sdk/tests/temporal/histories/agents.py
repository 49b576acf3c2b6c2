"""The agents whose histories are kept, and how each is played: those of the scenarios, generated ones, and one more.

What stands here must not change: the histories were made with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from fixtures import scenarios
from rescind import AgentContext, AgentDefinition, ExecutionHandle, TaskDefinition, agent

from ..conformance.generating import generate
from ..conformance.playing import plays_a_part, plays_a_program
from ..world import nap

GENERATED: Final = 12
_UNIT_MS: Final = 20
_SCALE: Final = 0.1


def _side_effect() -> int:
    return 7


@agent("does-the-rest", recovery="checkpoint")
async def does_the_rest(ctx: AgentContext) -> str:
    """Do what neither scenarios nor generated agents do: side effects, signals, checkpoints, a cancel and its clean-up.

    It is cancelled while it waits for the signal ``never``.
    """
    done = await ctx.run(_side_effect)
    await ctx.append_entry("user", {"done": done, "random": ctx.random(), "id": str(ctx.uuid4())})
    await ctx.checkpoint({"done": done})
    told = await ctx.wait_for_signal_raw("go on")
    hedged = await ctx.hedge(nap, [0.3, 0.01], 50)
    await ctx.replace(ctx.schedule(nap, 30.0), nap, 0.01)
    try:
        async with ctx.fail_after(3_600):
            await ctx.wait_for_signal_raw("never")
    finally:
        async with ctx.shield():
            await ctx.append_entry("assistant", {"told": told, "hedged": hedged})
            await ctx.schedule(nap, 0.01)
    return "never reached"


Disturb = Callable[[ExecutionHandle[Any]], Awaitable[None]]


async def _leave_alone(_: ExecutionHandle[Any]) -> None:
    pass


async def _signal_and_cancel(handle: ExecutionHandle[Any]) -> None:
    await handle.signal("go on", "told")
    async for event in handle.follow():
        if getattr(event, "details", None) and "never" in str(event):
            break
    await handle.cancel("enough")


@dataclass(frozen=True, slots=True)
class KeptStart:
    """One start of an agent whose history is kept.

    Attributes:
        name: of the file.
        agent: the agent.
        given: its input.
        disturb: what is done to it from outside.
    """

    name: str
    agent: AgentDefinition[Any, Any]
    given: Any
    disturb: Disturb = _leave_alone


AGENTS: Final[tuple[AgentDefinition[Any, Any], ...]] = (*scenarios.AGENTS, plays_a_program, does_the_rest)
TASKS: Final[tuple[TaskDefinition[Any, Any], ...]] = (*scenarios.TASKS, plays_a_part, nap)


def starts() -> Sequence[KeptStart]:
    """All that are kept."""
    played = [
        KeptStart(f"{scenario.name}-{number}", scenario.agent, _shortened(given))
        for scenario in scenarios.SCENARIOS.values()
        for number, given in enumerate(scenario.inputs, start=1)
    ]
    generated = [
        KeptStart(f"generated-{number:02}", plays_a_program, msgspec.to_builtins(each.program))
        for number, each in enumerate(generate(GENERATED, _UNIT_MS), start=1)
    ]
    return [*played, *generated, KeptStart("the-rest", does_the_rest, None, _signal_and_cancel)]


def _shortened(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: round(each * _SCALE) if key.endswith("Ms") else each for key, each in given.items()}
