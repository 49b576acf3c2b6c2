"""What a command that goes on tells of itself: its log on stderr, and its spans to a collector."""

from __future__ import annotations

import functools
import logging
import sys
from typing import Any, Final, NamedTuple, cast

import click

from rescind.cli.options import CommandT, setting_option
from rescind.settings import LOG_FORMS, LOG_LEVELS
from rescind.telemetry.log_lines import JsonLines, TextLines

# What these tell below is of no use to who runs a server or worker; and some of it is headers, with tokens in them.
_LEAST: Final = {
    "asyncio": logging.INFO,
    "grpc": logging.INFO,
    "httpcore": logging.INFO,
    "opentelemetry": logging.INFO,
    "httpx": logging.WARNING,
    "temporalio": logging.WARNING,
    "urllib3": logging.WARNING,
    "uvicorn": logging.WARNING,
}


class Log(NamedTuple):
    """How a command logs.

    Attributes:
        form: ``text`` or ``json``.
        level: the least level that is told: ``debug``, ``info``, ``warning`` or ``error``.
    """

    form: str = "text"
    level: str = "info"


def log_options(command: CommandT) -> CommandT:
    """The options `--log` and `--log-level`; the command gets them as `log`."""

    @functools.wraps(command)
    def with_log(*arguments: Any, log: str, log_level: str, **options: Any) -> Any:
        return command(*arguments, log=Log(log, log_level), **options)

    form = setting_option(
        "--log",
        setting="log",
        default="text",
        type=click.Choice(LOG_FORMS),
        help="The form of the log on stderr: text, or json with one object per line.",
    )
    level = setting_option(
        "--log-level", setting="log_level", default="info", type=click.Choice(LOG_LEVELS), help="The least level told."
    )
    decorated: Any = form(level(with_log))
    return cast(CommandT, decorated)


def log_to_stderr(log: Log) -> None:
    """Print the log. One that was set up before is left as it is."""
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log.form == "json" else TextLines())
    root.addHandler(handler)
    root.setLevel(log.level.upper())
    for name, least in _LEAST.items():
        logging.getLogger(name).setLevel(max(least, root.level))
