"""Ids for executions whose starter chose none: drawn from the seed, so that the same run has the same ids."""

from __future__ import annotations

from uuid import NAMESPACE_OID, uuid5

from rescind.model.ids import ExecutionId


def execution_id_of(seed: int, order: int) -> ExecutionId:
    """The id of the next execution after `order` of them under a seed."""
    return ExecutionId(str(uuid5(NAMESPACE_OID, f"execution:{seed}:{order}")))
