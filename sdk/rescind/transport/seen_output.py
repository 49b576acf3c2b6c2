"""What a follower has seen of what programs wrote, so that it goes on there when it comes back."""

from __future__ import annotations

from rescind.model.ids import TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.output import StreamName, event_of, piece_of

_Key = tuple[TaskId, StreamName]


class SeenOutput:
    """Counts the bytes of each output. After a cut the server tells again all that it keeps: the new of it is shown."""

    def __init__(self) -> None:
        self._told: dict[_Key, int] = {}
        # What was shown before the cut, until that is told again.
        self._shown: dict[_Key, int] = {}

    def begin_again(self) -> None:
        """The connection was cut: what the next one tells of each output begins with its first byte."""
        for key, size in self._told.items():
            self._shown[key] = max(size, self._shown.get(key, 0))
        self._told.clear()

    def unseen(self, event: StreamedEvent, *, is_kept: bool) -> StreamedEvent | None:
        """What of an event was not shown yet; None if all was.

        Args:
            event: what the server has told.
            is_kept: whether it was streamed before the present connection.
        """
        if not is_kept:
            # A server that crashed may have kept less than was shown: what it tells from here on is new.
            self._shown.clear()
        piece = piece_of(event)
        if piece is None or event.task_id is None:
            return event
        key = event.task_id, piece.stream
        begin = self._told.get(key, 0)
        self._told[key] = begin + piece.size
        shown = max(0, self._shown.get(key, 0) - begin)
        if not shown:
            return event
        return event_of(event.task_id, piece.behind(shown)) if shown < piece.size else None
