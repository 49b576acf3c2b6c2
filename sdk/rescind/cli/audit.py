"""`rescind audit`: who asked for what, when and why, and what they were told."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click
from rich.text import Text

from rescind.cli.columns import columns, console_for_lines, print_whole
from rescind.cli.listings import first_of, tell_rest
from rescind.cli.options import Remote, json_option, limit_option, remote_options
from rescind.cli.refusals import refusals_in_one_line
from rescind.cli.remote import ask, print_json
from rescind.cli.times import local_time
from rescind.model.ages import age_of
from rescind.model.audit import AuditAction, AuditFilter, AuditRecord
from rescind.model.events import iso_time
from rescind.model.ids import ExecutionId, Instant

_HEADINGS: Final = ("AT", "WHO", "WHAT", "ABOUT", "RESULT", "WHY")
_WORDS: Final[Mapping[AuditAction, str]] = {
    AuditAction.START: "start",
    AuditAction.SIGNAL: "signal",
    AuditAction.CANCEL: "cancel",
    AuditAction.CANCEL_TASK: "cancel task",
    AuditAction.RETRY: "retry",
    AuditAction.CREATE_TOKEN: "create token",
    AuditAction.REVOKE_TOKEN: "revoke token",
    AuditAction.ADD_WEBHOOK: "add webhook",
    AuditAction.REMOVE_WEBHOOK: "remove webhook",
    AuditAction.ENABLE_WEBHOOK: "enable webhook",
    AuditAction.ROTATE_WEBHOOK_SECRET: "rotate secret",
}


@click.command()
@click.option("--since", metavar="AGE", help="Only what was asked within that time: 15m, 1h, 30d.")
@click.option("--who", metavar="NAME", help="Only what this one asked for; 'client:*' is every client.")
@click.option("--execution", metavar="ID", help="Only what is about this execution, or one of its tasks.")
@limit_option()
@remote_options("The server to ask.")
@json_option("Print one JSON object: requests, and whether there are more.")
def audit(since: str | None, who: str | None, execution: str | None, limit: int, remote: Remote, as_json: bool) -> None:
    """List who asked for what, when and why, and what they were told. The last request first; for operators.

    Starts, signals and cancels, also those that came too late, and changes of tokens and webhooks: as far back as the
    server keeps the executions that they are about.
    """
    with refusals_in_one_line():
        earliest = Instant(_now() - round(age_of(since).total_seconds() * 1e6)) if since is not None else None
    selection = AuditFilter(earliest, who, ExecutionId(execution) if execution is not None else None)
    shown, more = ask(remote, lambda client: first_of(client.audit(selection), limit))
    if as_json:
        print_json({"requests": [audit_document(record) for record in shown], "more": more})
        return
    if shown:
        print_whole(console_for_lines(), columns(_HEADINGS, map(_row, shown)))
    tell_rest("request", limit, any_shown=bool(shown), more=more)


def audit_document(record: AuditRecord) -> dict[str, Any]:
    """A request for programs."""
    return {
        "at": iso_time(record.at),
        "who": record.who,
        "action": record.action.value,
        "result": record.result,
        "subject": record.subject,
        "execution_id": record.execution_id,
        "task_id": record.task_id,
        "sequence": record.sequence or None,
        "source": record.source,
        "reason": record.reason,
        "forced": record.forced,
    }


def _row(record: AuditRecord) -> Sequence[str | Text]:
    what = f"{_WORDS[record.action]} {record.subject}".rstrip() + (" by force" if record.forced else "")
    about = " ".join(each for each in (record.execution_id, record.task_id) if each is not None)
    # What was merely asked for has no other reason than its words.
    source = record.source if record.source not in (None, "request") else None
    why = ": ".join(each for each in (source, record.reason) if each)
    return local_time(record.at), record.who, what, about, record.result, why


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000)
