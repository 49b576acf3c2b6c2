"""`rescind replay`: does a workflow's code, as it is now, follow the log of an execution?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from rescind.authoring.workflow import WorkflowDefinition
from rescind.cli.definitions import imported_value
from rescind.cli.options import json_option
from rescind.cli.printable import printable
from rescind.cli.refusals import EXIT_BAD_INPUT, EXIT_REFUSED, Refused, refusals_in_one_line
from rescind.cli.remote import print_json
from rescind.errors import DeterminismViolation
from rescind.testing.replaying import ReplayedWorkflow, replay_workflow


@click.command()
@click.argument("history", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), metavar="HISTORY")
@click.argument("place", metavar="MODULE:WORKFLOW")
@click.option("--id", "execution_id", help="The execution's id, from which its random numbers are drawn.")
@json_option("Print one JSON object.")
def replay(history: Path, place: str, execution_id: str | None, as_json: bool) -> None:
    """Run the code of a workflow over an exported log, and tell where it takes another path.

    HISTORY is a file that `rescind history ID --events` made, or - for standard input. Ends with 4 if the code takes
    another path, with 2 if there is no such log or workflow.
    """
    workflow = _workflow_at(place)
    log: bytes | Path = sys.stdin.buffer.read() if str(history) == "-" else history
    options: dict[str, Any] = {} if execution_id is None else {"execution_id": execution_id}
    try:
        with refusals_in_one_line():
            replayed = replay_workflow(workflow, log, **options)
    except Refused as refused:
        violation = refused.__context__
        if not isinstance(violation, DeterminismViolation):
            raise
        if as_json:
            print_json(_diverged(workflow, violation))
        raise Refused(str(violation), EXIT_REFUSED) from None
    if as_json:
        print_json({"kind": replayed.kind, "events": replayed.events, "follows": True} | _shown(replayed))
        return
    click.echo(printable(f"{replayed.kind} follows its log of {replayed.events} events."))
    for command in replayed.new_commands:
        click.echo(printable(f"New behind it: {command}"))
    click.echo(printable(f"Then: {replayed.ending or replayed.waiting_for}"))


def _shown(replayed: ReplayedWorkflow) -> dict[str, Any]:
    return {
        "newCommands": list(replayed.new_commands),
        "ending": replayed.ending,
        "waitingFor": replayed.waiting_for or None,
    }


def _diverged(workflow: WorkflowDefinition[Any, Any], violation: DeterminismViolation) -> dict[str, Any]:
    return {
        "kind": workflow.kind,
        "follows": False,
        "mismatch": violation.mismatch,
        "sequence": violation.sequence,
        "expected": violation.expected,
        "actual": violation.actual or None,
        "place": violation.place or None,
    }


def _workflow_at(place: str) -> WorkflowDefinition[Any, Any]:
    value = imported_value(place)
    if not isinstance(value, WorkflowDefinition):
        raise Refused(f"{place} is {value!r}, and no workflow. Decorate it with @workflow.", EXIT_BAD_INPUT)
    return value
