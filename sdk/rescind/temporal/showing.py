"""What a workflow answers to queries: its execution, in pages that fit into Temporal's limit for an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
from temporalio.common import RawValue

from rescind.temporal import names
from rescind.temporal.engine_host import EngineHost
from rescind.temporal.payloads import answer_to_temporal, record_from_temporal
from rescind.temporal.records import (
    CheckpointsPage,
    ChildrenPage,
    Described,
    EntriesPage,
    HistoryPage,
    LogPage,
    PageRequest,
    StreamedPage,
    TasksPage,
)

# A quarter of the two megabytes that an answer may have: other encodings than ours, and codecs, make it larger.
_MOST_BYTES: Final = 512 * 1024


class Showing:
    """Answers queries about one execution."""

    def __init__(self, host: EngineHost) -> None:
        self._host = host
        self._views: Mapping[str, Callable[[int], Any]] = {
            names.DESCRIBE_QUERY: self.described,
            names.TASKS_QUERY: self.tasks,
            names.ENTRIES_QUERY: self.entries,
            names.CHECKPOINTS_QUERY: self.checkpoints,
            names.CHILDREN_QUERY: self.children,
            names.HISTORY_QUERY: self.history,
            names.STREAMED_QUERY: self.streamed,
            names.LOG_QUERY: self.log,
        }

    def answer(self, query: str, request: RawValue) -> RawValue:
        """What a query by one of these names answers: a page, or a part of it if one thing alone is too large."""
        asked = record_from_temporal(request, PageRequest)
        return answer_to_temporal(self._views[query](asked.after), asked.offset)

    def described(self, _: int = 0) -> Described:
        """The execution, and how much belongs to it."""
        details = self._host.details()
        return Described(
            details.execution,
            len(details.tasks),
            len(details.entries),
            len(details.checkpoints),
            self._host.first_event + len(self._host.history),
            self._host.streamed_count,
            len(details.children),
        )

    def tasks(self, after: int) -> TasksPage:
        """Its tasks behind the first `after`."""
        tasks, is_last = _page(self._host.details().tasks, after)
        return TasksPage(tasks, is_last, tuple(self._host.at_work(each.task_id) for each in tasks))

    def entries(self, after: int) -> EntriesPage:
        """Its entries behind the first `after`."""
        return EntriesPage(*_page(self._host.details().entries, after))

    def checkpoints(self, after: int) -> CheckpointsPage:
        """Its checkpoints behind the first `after`."""
        return CheckpointsPage(*_page(self._host.details().checkpoints, after))

    def children(self, after: int) -> ChildrenPage:
        """The agents that it spawned, behind the first `after`."""
        return ChildrenPage(*_page(self._host.details().children, after))

    def history(self, after: int) -> HistoryPage:
        """Its events behind number `after`."""
        first = self._host.first_event
        return HistoryPage(*_page(self._host.history, max(0, after - first)), first, self._host.previous_run)

    def log(self, after: int) -> LogPage:
        """The events of a workflow's log behind the first `after`."""
        return LogPage(*_page(self._host.log(), after))

    def streamed(self, after: int) -> StreamedPage:
        """What was streamed behind number `after`, as far as it is still known."""
        forgotten = self._host.streamed_count - len(self._host.streamed)
        skipped = max(0, after - forgotten)
        items, is_last = _page(list(islice(self._host.streamed, skipped, None)), 0)
        return StreamedPage(items, forgotten + skipped + len(items), is_last)


def _page(items: Sequence[Any], after: int) -> tuple[tuple[Any, ...], bool]:
    size = 0
    last = after
    while last < len(items):
        size += len(msgspec.json.encode(items[last]))
        if size > _MOST_BYTES and last > after:
            break
        last += 1
    return tuple(items[after:last]), last >= len(items)
