"""What a worker's log says of a turn that fails for a reason that we know: one line each time that it is tried."""

from __future__ import annotations

import logging
from typing import Final

from rescind.errors import AuthoringError, UnknownKind

_LOGGER: Final = "temporalio.worker._workflow_instance"


class _OneLine(logging.Filter):
    """Leaves the traceback out where it would lead into our own code, and the message says what to do."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, UnknownKind | AuthoringError):
            record.msg = f"{record.getMessage()}: {' '.join(str(error).split())}"
            record.args = ()
            record.exc_info = None
        return True


_ONE_LINE: Final = _OneLine()


def keep_failed_turns_short() -> None:
    """Have Temporal's SDK tell of an unknown kind, and of an agent that took another path, in one line each."""
    logging.getLogger(_LOGGER).addFilter(_ONE_LINE)
