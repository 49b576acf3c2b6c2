"""Idempotency keys: one space per organisation for workflows, promises and tasks; each counts for its time."""

from __future__ import annotations

import heapq

from rescind.model.ids import ExecutionId, Instant, TaskId
from rescind.model.workflow_commands import DEFAULT_KEY_SECONDS, LONGEST_KEY_SECONDS
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import State
from rescind_server.engine.workflow_entities import KeyName, KeyOwner, workflow_of


def owner_of(state: State, organisation: str, key: str) -> KeyOwner | None:
    """What a key belongs to; None if it is free, or has expired."""
    owner = state.workflows.keys.get((organisation, key))
    return owner if owner is not None and owner.expires_at > state.now else None


def bind(
    state: State,
    execution: Execution,
    key: str,
    seconds: int | None,
    *,
    promise_id: str | None = None,
    task_id: TaskId | None = None,
) -> None:
    """Give a key to an execution, or to a promise or task of it; whatever had it before has it no more."""
    _forget_expired(state)
    length = min(max(1, seconds if seconds is not None else DEFAULT_KEY_SECONDS), LONGEST_KEY_SECONDS)
    expires_at = Instant(state.now + length * 1_000_000)
    name = (execution.organisation, key)
    _put(state, name, KeyOwner(execution.execution_id, expires_at, promise_id, task_id))
    heapq.heappush(state.workflows.expiries, (expires_at, name))


def free(state: State, execution: Execution) -> None:
    """The workflow failed or was cancelled: a start with its key is a new one."""
    key = workflow_of(execution).key
    if key is not None and _is_its_own(state, execution.organisation, key, execution.execution_id):
        _drop(state, (execution.organisation, key))


def take_up(state: State, name: KeyName, owner: KeyOwner) -> None:
    """Remember a key after a restart."""
    state.workflows.keys[name] = owner
    heapq.heappush(state.workflows.expiries, (owner.expires_at, name))


def _is_its_own(state: State, organisation: str, key: str, execution_id: ExecutionId) -> bool:
    owner = state.workflows.keys.get((organisation, key))
    return owner is not None and owner.execution_id == execution_id


def _forget_expired(state: State) -> None:
    expiries = state.workflows.expiries
    while expiries and expiries[0][0] <= state.now:
        _, name = heapq.heappop(expiries)
        owner = state.workflows.keys.get(name)
        # It may have been given to something else meanwhile, for longer.
        if owner is not None and owner.expires_at <= state.now:
            _drop(state, name)


def _put(state: State, name: KeyName, owner: KeyOwner) -> None:
    state.workflows.keys[name] = owner
    state.decision.keys[name] = owner


def _drop(state: State, name: KeyName) -> None:
    del state.workflows.keys[name]
    state.decision.keys[name] = None
