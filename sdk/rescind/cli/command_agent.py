"""The agent behind `rescind run`: one command, carried out as a task, and seen to its real end."""

from __future__ import annotations

from typing import Final

import msgspec

from rescind.authoring.agent import agent
from rescind.errors import ExecutionCancelled
from rescind.executors import Command, CommandResult, shell_commands
from rescind.runtime.agent_context import AgentContext

COMMAND_AGENT: Final = "run-command"
COMMAND_TASK: Final = "shell"
GO: Final = "go"
"""The signal that the caller listens, so that the first words of the command are not lost."""

# Longer than any sensible grace: the agent waits for what it cancelled until that is really gone.
_CLEANUP_SECONDS: Final = 24 * 3_600


class CommandRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be run.

    Attributes:
        command: the program.
        grace: seconds between SIGTERM and SIGKILL when it is cancelled; else 10.
        timeout: seconds after which it is stopped; else it may run for ever.
        listened_to: whether to wait for the signal GO first.
    """

    command: Command
    grace: float | None = None
    timeout: float | None = None
    listened_to: bool = False


# Whoever runs it has a task of this kind that allows the command, or not.
_task: Final = shell_commands(COMMAND_TASK, allowed=["*"], check=False)


@agent(COMMAND_AGENT, cleanup_budget=_CLEANUP_SECONDS)
async def run_command(ctx: AgentContext, request: CommandRequest) -> CommandResult:
    """Run a command once; cancelled, end when nothing of it is left."""
    if request.listened_to:
        await ctx.wait_for_signal_raw(GO)
    future = ctx.schedule(_task, request.command, grace=request.grace, start_to_close=request.timeout, max_retries=0)
    try:
        return await future
    except ExecutionCancelled as cancelled:
        async with ctx.shield():
            await future.cancel(cancelled.cause.reason if cancelled.cause is not None else None)
            await ctx.wait_stopped([future.task_id], _CLEANUP_SECONDS * 1_000)
        raise
