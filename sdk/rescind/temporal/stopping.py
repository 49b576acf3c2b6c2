"""How an attempt hears that it is to stop. Temporal says that it is, and not why: the workflow is asked for that."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.client import WorkflowHandle, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.common import RawValue
from temporalio.service import RPCError

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.messages import StopOrder
from rescind.temporal import names
from rescind.temporal.payloads import record_from_temporal
from rescind.temporal.records import AttemptOrder

_LOG: Final = logging.getLogger("rescind.worker")

_NO_ANSWER: Final = (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError)
_UNANSWERED: Final = CancelCause(CancelSource.REQUEST, "temporal", "its workflow did not say why in time")
_GONE: Final = CancelCause(CancelSource.PARENT, "temporal", "its workflow waits for it no longer")
_LEAVING: Final = CancelCause(CancelSource.SHUTDOWN, "temporal", "its worker ends, or its activity was paused or reset")


class StopOrders:
    """Fetches the orders for one attempt."""

    def __init__(self, workflow: WorkflowHandle[Any, Any], order: AttemptOrder, patience: float) -> None:
        """For one attempt.

        Args:
            workflow: the workflow that knows why.
            order: the attempt.
            patience: how long it may take to answer, in seconds; then the code is told without a reason.
        """
        self._workflow = workflow
        self._order = order
        self._patience = timedelta(seconds=patience)

    async def first(self) -> StopOrder:
        """Why Temporal has cancelled the activity, as far as anybody knows."""
        details = activity.cancellation_details()
        if details is not None and not details.cancel_requested:
            if details.worker_shutdown or details.paused or details.reset:
                return self._own(_LEAVING, decided=False)
            return self._own(_GONE)
        try:
            # Without an order, its workflow was terminated or reset, or has given the attempt up.
            return await self._ask() or self._own(_GONE)
        except _NO_ANSWER:
            return self._own(_UNANSWERED)

    async def standing(self) -> StopOrder | None:
        """The order that stands; None if there is none, or the workflow does not answer in time."""
        try:
            return await self._ask()
        except _NO_ANSWER:
            return None

    async def _ask(self) -> StopOrder | None:
        try:
            answer = await self._workflow.query(
                names.STOP_QUERY, self._order.lease, result_type=RawValue, rpc_timeout=self._patience
            )
        except _NO_ANSWER as error:
            _LOG.debug("task %s could not ask its workflow for its order to stop: %s", self._order.task_id, error)
            raise
        return _order_in(answer)

    def _own(self, cause: CancelCause, *, decided: bool = True) -> StopOrder:
        return StopOrder(self._order.task_id, self._order.lease, cause, decided)


def _order_in(answer: RawValue) -> StopOrder | None:
    if answer.payload.data == b"null":
        return None
    return record_from_temporal(answer, StopOrder)


async def beat(interval: float) -> None:
    """Give signs of life for an activity until cancelled: their answers bring its cancel.

    The first comes after a pause: its start was one, and most work has ended by then.

    Args:
        interval: the pause between two of them in seconds.
    """
    while True:
        await asyncio.sleep(interval)
        activity.heartbeat()
