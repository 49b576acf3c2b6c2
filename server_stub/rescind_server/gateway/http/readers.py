"""One who follows an execution: first what it does not know yet, at its own pace, then what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from rescind.model.events import EXECUTION_ENDS
from rescind_server.gateway.history_pages import EVENTS_AT_ONCE
from rescind_server.gateway.http.fan_out import Follower, Outlet
from rescind_server.gateway.http.feeds import Feed, OutputSoFar
from rescind_server.gateway.http.frames import Frame, Place, event_frame, history_frame
from rescind_server.host.driver import Host

_UNKNOWN: Final = -1


class Reader:
    """One reader of a feed, with its own pace."""

    def __init__(
        self,
        host: Host,
        feed: Feed,
        place: Place | None,
        outlet: Outlet | None = None,
        *,
        output: OutputSoFar | None = None,
    ) -> None:
        """Begin.

        Args:
            host: where the history is.
            feed: what to read.
            place: behind what to begin; None begins with the first event.
            outlet: where the feed may write by itself, for as long as this reader waits for what comes next.
            output: what programs wrote, as it was sent to it before; None if nothing was.
        """
        self._host = host
        self._feed = feed
        self._comes_back = place is not None
        sequence = place.sequence if place is not None else 0
        number = feed.number_behind(place) if place is not None else None
        # Whoever was here before, and stands where nothing is kept any more, may have missed what was streamed.
        self._may_have_missed = place is not None and (number is None or (output is not None and output.missed > 0))
        if number is None and sequence > feed.floor:
            number = feed.number_behind(Place(sequence))
        self._at = Follower(number if number is not None else _UNKNOWN, sequence, outlet)
        self._missed: int | None = None
        self._output = output
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
                return event_frame("missed", self._told_missed(missed))
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

    def _told_missed(self, streamed: int | None) -> dict[str, int | None]:
        told = {"streamed": streamed}
        # Of a reader that came back for what programs wrote it is known how much of that is gone.
        if self._comes_back and self._output is not None and streamed is None:
            told["output"] = self._output.missed
            self._comes_back = False
        return told

    def _unknown(self, frames: Sequence[Frame]) -> bytes:
        known_to = self._output.known_to if self._output is not None else 0
        return b"".join(
            frame.data
            for number, frame in enumerate(frames, self._at.number)
            if not (frame.is_output and number < known_to)
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
                written = self._output.until if self._output is not None else 0
                return b"".join(history_frame(event, feed.name, written).data for event in events)
        if self._at.number == _UNKNOWN:
            # Who took its time over what programs wrote so far may find that what followed is not kept any more.
            self._may_have_missed |= self._output is not None and self._output.known_to < feed.first
        elif self._at.number < feed.first:
            self._missed, self._may_have_missed = feed.first - self._at.number, True
        self._at.number = feed.first
        return b""
