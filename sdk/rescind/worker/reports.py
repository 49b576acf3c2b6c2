"""What was reported at the end of attempts: kept for a while, since it may be lost with a session that breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rescind.model.ids import Lease
from rescind.model.messages import FromWorker, StopReported, TaskReported
from rescind.model.status import STOP_ENDED

_MOST_BYTES: Final = 16 * 1024 * 1024
"""The most that is kept of results. What does not fit is lost with its session, and costs another attempt."""


class LastReports:
    """The reports that the other side may not have got yet.

    They are as many as there are slots: a slot is free when its report has arrived, so what was reported before the
    last that many cannot have been on its way when the session broke.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._reports: dict[Lease, TaskReported | StopReported] = {}
        self._bytes = 0

    def __iter__(self) -> Iterator[TaskReported | StopReported]:
        return iter(self._reports.values())

    def leases(self) -> frozenset[Lease]:
        """The attempts that they speak of."""
        return frozenset(self._reports)

    def note(self, message: FromWorker) -> None:
        """Keep a message if it ends an attempt."""
        if isinstance(message, TaskReported) or (isinstance(message, StopReported) and message.state in STOP_ENDED):
            self._forget(message.lease)
            self._reports[message.lease] = message
            self._bytes += _size(message)
            while len(self._reports) > self._slots or self._bytes > _MOST_BYTES:
                self._forget(next(iter(self._reports)))

    def _forget(self, lease: Lease) -> None:
        report = self._reports.pop(lease, None)
        if report is not None:
            self._bytes -= _size(report)


def _size(report: TaskReported | StopReported) -> int:
    return len(report.output.data) if isinstance(report, TaskReported) and report.output is not None else 0
