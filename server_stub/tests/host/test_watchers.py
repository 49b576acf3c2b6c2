"""What those who follow an execution are told."""

from __future__ import annotations

from rescind.model.commands import CancelExecution
from rescind.model.events import EXECUTION_ENDS
from rescind.model.status import ExecutionStatus
from rescind.testing.virtual_time import run
from server_stub.tests.host.setting import CAUSE, START, Setting, X, asks


def test_who_waits_for_an_end_is_told_how_it_ended_without_a_look_into_the_store() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await asks(setting.host, START)
            async with setting.host.watchers.subscribe(X, EXECUTION_ENDS) as ends:
                assert ends.ended is None
                await asks(setting.host, CancelExecution(X, CAUSE, hard=True))
                await ends.get()
                assert ends.ended is not None
                assert (ends.ended.execution_id, ends.ended.status) == (X, ExecutionStatus.CANCELLED)

    run(main())
