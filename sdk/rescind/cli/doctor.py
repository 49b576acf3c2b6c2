"""`rescind doctor`: whether a server or cluster is well, and what to do if it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import click
from rich.text import Text

from rescind.cli.columns import console_for_lines, print_whole
from rescind.cli.examinations import Finding, Level, examine, examine_cluster
from rescind.cli.options import Remote, json_option, remote_options
from rescind.cli.printable import printable
from rescind.cli.refusals import EXIT_NOT_COMPLETED, EXIT_UNREACHABLE, Refused
from rescind.cli.remote import ask, ask_either, print_json

if TYPE_CHECKING:
    from rescind.temporal import TemporalClient

_COLOURS: Final = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}
_WIDEST_CHECK: Final = 8


@click.command()
@remote_options("The server to look at.", clusters=True)
@json_option("Print one JSON object: every finding, and whether all is well.")
def doctor(remote: Remote, as_json: bool) -> None:
    """Look at a server: its address, access, clock, store, workers, and work that does not go on.

    Of a Temporal cluster it tells what that knows: workers, work that waits, does not stop, or fails again and again.

    A line per check: ok, warn or fail, and what to do. The exit code is 0 if nothing failed, 1 if something did, and 5
    if the server cannot be reached.
    """
    try:
        findings = _findings(remote)
    except Refused as refused:
        if refused.exit_code != EXIT_UNREACHABLE:
            raise
        findings = [Finding("address", Level.FAIL, refused.message)]
        _tell(findings, as_json=as_json)
        click.get_current_context().exit(EXIT_UNREACHABLE)
    _tell(findings, as_json=as_json)
    if not _is_well(findings):
        click.get_current_context().exit(EXIT_NOT_COMPLETED)


def _findings(remote: Remote) -> list[Finding]:
    if remote.cluster is None:
        return ask(remote, examine)
    return ask_either(remote, lambda client: examine_cluster(cast("TemporalClient", client)))


def _tell(findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        print_json({"well": _is_well(findings), "checks": [finding._asdict() for finding in findings]})
    else:
        print_whole(console_for_lines(), [_line(finding) for finding in findings])


def _is_well(findings: list[Finding]) -> bool:
    return all(finding.level is not Level.FAIL for finding in findings)


def _line(finding: Finding) -> Text:
    advice = f" {finding.advice}" if finding.advice else ""
    told = printable(" ".join(f"{finding.message}{advice}".split()))
    return Text.assemble(
        (f"{finding.level.value:<4}", _COLOURS[finding.level]), f"  {finding.check:<{_WIDEST_CHECK}}  {told}"
    )
