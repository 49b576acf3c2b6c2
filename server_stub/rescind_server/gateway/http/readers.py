"""One who follows an execution: first what it does not know yet, at its own pace, then what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from rescind.model.events import EXECUTION_ENDS
from rescind_server.gateway.history_pages import EVENTS_AT_ONCE
from rescind_server.gateway.http.fan_out import Follower, Outlet
from rescind_server.gateway.http.feeds import Feed
from rescind_server.gateway.http.frames import Frame, Place, event_frame, history_frame
from rescind_server.host.driver import Host

_UNKNOWN: Final = -1


class Reader:
    """One reader of a feed, with its own pace."""

    def __init__(
        self, host: Host, feed: Feed, place: Place | None, outlet: Outlet | None = None, *, output_known_to: int = 0
    ) -> None:
        """Begin.

        Args:
            host: where the history is.
            feed: what to read.
            place: behind what to begin; None begins with the first event.
            outlet: where the feed may write by itself, for as long as this reader waits for what comes next.
            output_known_to: what programs wrote is known to it up to the frame of this number.
        """
        self._host = host
        self._feed = feed
        sequence = place.sequence if place is not None else 0
        number = feed.number_behind(place) if place is not None else None
        # Whoever was here before, and stands where nothing is kept any more, may have missed what was streamed.
        self._may_have_missed = place is not None and number is None
        if number is None and sequence > feed.floor:
            number = feed.number_behind(Place(sequence))
        self._at = Follower(number if number is not None else _UNKNOWN, sequence, outlet)
        self._missed: int | None = None
        self._output_known_to = output_known_to
        self._has_ended = False

    async def read(self) -> bytes | None:
        """What comes next, as it is to be sent; waits for it, and meanwhile what comes is written to the outlet.

        None if the execution has ended. If it is interrupted, nothing is lost.

        Raises:
            RescindError: nothing more comes, though the execution has not ended.
        """
        feed = self._feed
        while not self._has_ended:
            if self._at.number < feed.first:
                # A quick reader of a long history would leave no room for others. Cut off here, it has missed nothing.
                await asyncio.sleep(0)
                if older := self._older():
                    return older
            if self._may_have_missed:
                self._may_have_missed = False
                missed, self._missed = self._missed, None
                return event_frame("missed", {"streamed": missed})
            frames = feed.frames(self._at.number)
            if frames:
                data = self._unknown(frames)
                self._at.number += len(frames)
                self._at.sequence = frames[-1].sequence
                if data:
                    return data
                continue
            if feed.is_over:
                if feed.failure is not None:
                    raise feed.failure
                return None
            await feed.serve(self._at)
        return None

    def _unknown(self, frames: Sequence[Frame]) -> bytes:
        return b"".join(
            frame.data
            for number, frame in enumerate(frames, self._at.number)
            if not (frame.is_output and number < self._output_known_to)
        )

    def _older(self) -> bytes:
        """Some of what is older than what the feed keeps, from the store; b"" when nothing of it is left."""
        feed = self._feed
        if self._at.sequence < feed.floor:
            most = min(EVENTS_AT_ONCE, feed.floor - self._at.sequence)
            events = self._host.history(feed.execution_id, self._at.sequence, most)
            ends = [number for number, event in enumerate(events, 1) if event.type in EXECUTION_ENDS]
            if ends:
                self._has_ended, events = True, events[: ends[0]]
            if events:
                # Of the frames that it fell behind, these are not missed.
                self._at.number += len(events) if self._at.number != _UNKNOWN else 0
                self._at.sequence = events[-1].sequence
                return b"".join(history_frame(event).data for event in events)
        if self._at.number != _UNKNOWN and self._at.number < feed.first:
            self._missed, self._may_have_missed = feed.first - self._at.number, True
        self._at.number = feed.first
        return b""
