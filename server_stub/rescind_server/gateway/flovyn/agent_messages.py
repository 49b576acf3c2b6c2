"""Agents, entries, checkpoints and results as messages of flovyn.v1, and back."""

from __future__ import annotations

import json
from typing import Final

from rescind_proto.flovyn.v1 import agent_pb2 as wire

from rescind.errors import InvalidInput
from rescind.model.ids import ExecutionId
from rescind.model.messages import EntryRecord
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.outcome import Outcome
from rescind.model.status import TaskStatus
from rescind.model.views import CheckpointView
from rescind_server.engine.calls import AgentClaimed, TokenUsage
from rescind_server.engine.entities import KeptEntry, Task
from rescind_server.gateway import organisations
from rescind_server.gateway.flovyn.ids import checkpoint_id_of
from rescind_server.gateway.flovyn.values import milliseconds

DEFAULT_RETRIES: Final = 3
MOST_RETRIES: Final = 1_000_000
ENTRY_TYPES: Final = ("message", "llm_call", "injection")
ROLES: Final = ("system", "user", "assistant", "tool_result")
PERSISTENCE_LABEL: Final = "persistence_mode"
"""The label that says how a child asked to be kept, if it asked."""

_PERSISTENCE: Final = "REMOTE"


def agent_message(claimed: AgentClaimed, organisation_id: str) -> wire.AgentExecutionInfo:
    """An agent, for the worker that claimed it."""
    message = wire.AgentExecutionInfo(
        id=organisations.outer(claimed.execution_id),
        kind=claimed.kind,
        org_id=organisation_id,
        input=claimed.input.data,
        queue=organisations.outer(claimed.queue),
        created_at_ms=milliseconds(claimed.created_at),
        current_checkpoint_seq=claimed.checkpoint,
        persistence_mode=claimed.labels.get(PERSISTENCE_LABEL, _PERSISTENCE),
        metadata=json.dumps(claimed.labels).encode() if claimed.labels else b"",
    )
    if claimed.parent_id is not None:
        message.parent_execution_id = organisations.outer(claimed.parent_id)
    return message


def entry_message(entry: EntryRecord) -> wire.AgentEntry:
    """An entry of a conversation."""
    message = wire.AgentEntry(
        id=entry.entry_id,
        entry_type=entry.entry_type,
        content=entry.content.data,
        created_at_ms=milliseconds(entry.at),
    )
    if entry.role:
        message.role = entry.role
    if entry.turn_id is not None:
        message.turn_id = entry.turn_id
    if isinstance(entry, KeptEntry):
        if entry.parent_id is not None:
            message.parent_id = entry.parent_id
        if entry.token_usage is not None:
            _fill_usage(entry.token_usage, message.token_usage)
    return message


def usage_of(message: wire.TokenUsage) -> TokenUsage:
    """What a call of a language model took."""
    return TokenUsage(
        message.input_tokens,
        message.output_tokens,
        message.cache_read_tokens if message.HasField("cache_read_tokens") else None,
        message.cache_write_tokens if message.HasField("cache_write_tokens") else None,
    )


def _fill_usage(usage: TokenUsage, message: wire.TokenUsage) -> None:
    message.input_tokens = usage.input_tokens
    message.output_tokens = usage.output_tokens
    if usage.cache_read_tokens is not None:
        message.cache_read_tokens = usage.cache_read_tokens
    if usage.cache_write_tokens is not None:
        message.cache_write_tokens = usage.cache_write_tokens


def checkpoint_message(agent_id: ExecutionId, checkpoint: CheckpointView) -> wire.AgentCheckpoint:
    """A checkpoint."""
    message = wire.AgentCheckpoint(
        id=checkpoint_id_of(agent_id, checkpoint.sequence),
        sequence=checkpoint.sequence,
        state=checkpoint.state.data,
        created_at_ms=milliseconds(checkpoint.at),
    )
    if checkpoint.leaf_entry_id is not None:
        message.leaf_entry_id = checkpoint.leaf_entry_id
    return message


class TaskResult:
    """How a task stands, as both messages of results say it."""

    def __init__(self, task: Task) -> None:
        outcome: Outcome | None = task.outcome
        self.task_id = task.task_id
        self.status = task.status.value
        self.output: bytes | None = None
        self.error: str | None = None
        if outcome is not None and task.status is TaskStatus.COMPLETED:
            self.output = outcome.output.data if outcome.output is not None else b"null"
        elif outcome is not None and outcome.failure is not None:
            self.error = outcome.failure.message


def task_options(max_retries: int | None, timeout_ms: int | None, labels: dict[str, str]) -> TaskOptions:
    """The options of a task. It is tried again at once, and its time counts from its creation.

    Raises:
        InvalidInput: a number that cannot be meant.
    """
    retries = DEFAULT_RETRIES if max_retries is None else max_retries
    if not 0 <= retries <= MOST_RETRIES:
        raise InvalidInput(f"max_retries is {retries}. Give 0 to {MOST_RETRIES}.")
    if timeout_ms is not None and timeout_ms < 0:
        raise InvalidInput(f"timeout_ms is {timeout_ms}. Give 0 for none, or more.")
    return TaskOptions(
        RetryPolicy(max_attempts=retries + 1, initial_interval_ms=0),
        schedule_to_close_ms=timeout_ms or None,
        labels=labels,
    )


def one_of(word: str, allowed: tuple[str, ...], field: str) -> str:
    """A word of a fixed set, in lower case. Raises InvalidInput: it is another one."""
    if word.lower() not in allowed:
        raise InvalidInput(f"{field} is {word[:100]!r}. Give one of: {', '.join(allowed)}.")
    return word.lower()
