"""Where the messages for workers go. A session that fails is its own trouble, and nobody else's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from rescind.errors import RescindError
from rescind.model.ids import WorkerId
from rescind.model.messages import ToWorker
from rescind_server.engine.state import SessionKey

Deliver = Callable[[Sequence[ToWorker]], None]
"""Takes the messages of one turn, and sends them; it never waits."""
End = Callable[[RescindError], None]
"""Ends a session and tells its worker why."""

_LOG: Final = logging.getLogger(__name__)


class _Session(NamedTuple):
    number: int
    deliver: Deliver
    end: End | None


class Sessions:
    """The open sessions, by worker."""

    def __init__(self) -> None:
        self._open: dict[WorkerId, _Session] = {}

    def attach(self, session: SessionKey, deliver: Deliver, end: End | None) -> None:
        """From now on the messages of a worker's session go to `deliver`, and those of its older ones nowhere."""
        worker_id, number = session
        self._open[worker_id] = _Session(number, deliver, end)

    def detach(self, worker_id: WorkerId, deliver: Deliver) -> None:
        """Send nothing to `deliver` any more. A later session of this worker is left alone."""
        session = self._open.get(worker_id)
        if session is not None and session.deliver == deliver:
            del self._open[worker_id]

    def deliver(self, outgoing: Mapping[SessionKey, Sequence[ToWorker]]) -> None:
        """Hand over the messages of a turn. Who has no session, or a new one, learns what it must as it joins.

        A new one opens before the engine knows of it: what was decided for the one before must not get there, since
        the engine then counts it as lost.
        """
        for (worker_id, number), messages in outgoing.items():
            session = self._open.get(worker_id)
            if session is None or session.number != number:
                continue
            try:
                session.deliver(messages)
            except Exception as error:  # one worker's broken session must not stop the messages to the others
                _LOG.exception(
                    "the messages for worker %r could not be sent; its session is ended",
                    worker_id,
                    extra={"worker": worker_id},
                )
                self.end(worker_id, RescindError(f"the server could not send ({type(error).__name__}: {error})."))

    def end(self, worker_id: WorkerId, error: RescindError) -> None:
        """End a worker's session, if it has one."""
        session = self._open.pop(worker_id, None)
        if session is not None and session.end is not None:
            session.end(error)

    def end_all(self, error: RescindError) -> None:
        """End every session."""
        for worker_id in list(self._open):
            self.end(worker_id, error)
