"""The log of a command that goes on: a line for each event, with its time and level, on stderr."""

from __future__ import annotations

import logging
from typing import Final

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_to_stderr() -> None:
    """Print the log from INFO on. A log that was set up before is left as it is."""
    logging.basicConfig(level=logging.INFO, format=_FORMAT)
