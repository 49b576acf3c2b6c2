"""Executions with all that belongs to them, looked up in the engine's memory and in the store."""

from __future__ import annotations

import msgspec

from rescind.model.ids import ExecutionId
from rescind.model.overviews import StillStopping
from rescind.model.views import ExecutionDetails
from rescind_server.engine.machine import Engine
from rescind_server.engine.viewing import details_of, still_stopping, with_stopping
from rescind_server.store.port import Store


class Details:
    """Looks executions up. To be asked when all that is in the engine's memory is durable."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self._engine = engine
        self._store = store

    def of(self, execution_id: ExecutionId) -> ExecutionDetails | None:
        """An execution, open or closed; None if there is no such."""
        execution = self._engine.execution(execution_id)
        details = self.committed(execution_id) if execution is None else self._with_children(details_of(execution))
        if details is None:
            return None
        # What is still being stopped keeps all above it in memory.
        stopping = still_stopping(execution) if execution is not None else StillStopping()
        return msgspec.structs.replace(details, execution=with_stopping(details.execution, stopping))

    def committed(self, execution_id: ExecutionId) -> ExecutionDetails | None:
        """An execution as it was committed last, without what is still being stopped; None if there is no such."""
        execution = self._store.committed(execution_id)
        return self._with_children(details_of(execution)) if execution is not None else None

    def _with_children(self, details: ExecutionDetails) -> ExecutionDetails:
        """With the status also of the children whose end the execution was not told of."""
        unknown = [child.execution_id for child in details.children if child.status is None]
        if not unknown:
            return details
        known = {**self._store.committed_among(unknown)}
        known |= {each: found for each in unknown if (found := self._engine.execution(each)) is not None}
        children = tuple(
            msgspec.structs.replace(child, status=known[child.execution_id].status)
            if child.execution_id in known and child.status is None
            else child
            for child in details.children
        )
        return msgspec.structs.replace(details, children=children)
