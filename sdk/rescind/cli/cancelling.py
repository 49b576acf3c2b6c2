"""`rescind cancel`: one execution, one of its tasks, or all that conditions select."""

from __future__ import annotations

from typing import Final

import click

from rescind.cli.cancelling_many import ask_to_cancel, cancel_many, tell_reach
from rescind.cli.conditions import conditions_of, execution_filter, task_filter
from rescind.cli.options import Remote, json_option, remote_options
from rescind.cli.printable import printable
from rescind.cli.refusals import (
    EXIT_BAD_INPUT,
    EXIT_NOT_FOUND,
    EXIT_REFUSED,
    Refused,
)
from rescind.cli.remote import print_json
from rescind.errors import InvalidInput
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.status import CancelMode, CancelTaskResult
from rescind.model.texts import checked_task_id

_MET: Final = {
    CancelTaskResult.CANCELLED: "is cancelled by this request.",
    CancelTaskResult.ALREADY_CANCELLED: "was cancelled before.",
    CancelTaskResult.ALREADY_COMPLETED: "had completed before.",
    CancelTaskResult.ALREADY_FAILED: "had failed before.",
}


@click.command()
@click.argument("execution_id", metavar="[ID]", required=False)
@click.option("--task", "task_id", metavar="TASK_ID", help="Cancel only this task of the execution.")
@click.option(
    "--mode",
    type=click.Choice([mode.value.lower() for mode in CancelMode], case_sensitive=False),
    help="How a task is cancelled. try, the default: at once, then its work is stopped. wait: its work is asked to "
    "stop, and decides. abandon: at once, and its work is left alone. force: as --force.",
)
@click.option(
    "--where",
    metavar="CONDITIONS",
    help="Cancel all open executions for which they hold, as 'queue=default status=waiting age>1h label.team=eu'; "
    "values with spaces are quoted.",
)
@click.option("--tasks", "of_tasks", is_flag=True, help="With --where: cancel open tasks, not executions.")
@click.option("--dry-run", is_flag=True, help="With --where: tell what would be hit, and cancel nothing.")
@click.option("--yes", is_flag=True, help="With --where: do not ask before it is done.")
@click.option("--reason", help="Why, in words; its code, its tasks and its history see them.")
@click.option(
    "--hard",
    "--force",
    "hard",
    is_flag=True,
    help="End an execution at once, without its clean-up, and work without its grace; also what is being stopped "
    "already.",
)
@remote_options("The server to ask.", clusters=True)
@json_option("Print one JSON object: what the request met, or how many met what.")
def cancel(
    execution_id: str | None,
    task_id: str | None,
    mode: str | None,
    where: str | None,
    of_tasks: bool,
    dry_run: bool,
    yes: bool,
    reason: str | None,
    hard: bool,
    remote: Remote,
    as_json: bool,
) -> None:
    """Cancel an execution: its code is told, its work is stopped. Or one task, or all that conditions select.

    Conditions are name=value with the names status, kind, queue, creator, worker, agent, label.NAME, and for tasks
    execution; and age>1h or age<1h.

    Repeating it is harmless; with --force it ends at once what an earlier request is still stopping. The exit code is 4
    if what is named had ended otherwise before.
    """
    _check_together(execution_id, task_id, mode, where, of_tasks=of_tasks, yes=yes or dry_run, hard=hard)
    if where is not None:
        selection = _selection(where, of_tasks=of_tasks)
        if dry_run:
            tell_reach(remote, selection, hard=hard, as_json=as_json)
            return
        cancel_many(remote, selection, reason, hard=hard, yes=yes, as_json=as_json)
    elif task_id is not None:
        how = CancelMode.FORCE if hard else CancelMode((mode or CancelMode.TRY).upper())
        execution = execution_id or ""
        known = _task_id(task_id)
        result = ask_to_cancel(
            remote, lambda client: client.cancel_task(known, reason, mode=how, execution_id=execution)
        )
        named = {"task_id": task_id} | ({"execution_id": execution_id} if execution_id is not None else {})
        _tell_one(f"task {task_id}", named, result, as_json=as_json)
    else:
        assert execution_id is not None
        result = ask_to_cancel(remote, lambda client: client.handle(execution_id).cancel(reason, hard=hard))
        _tell_one(f"execution {execution_id}", {"execution_id": execution_id}, result, as_json=as_json)


def _check_together(
    execution_id: str | None,
    task_id: str | None,
    mode: str | None,
    where: str | None,
    *,
    of_tasks: bool,
    yes: bool,
    hard: bool,
) -> None:
    wrong = [
        (where is None and execution_id is None and task_id is None, "give an ID, --task, or --where."),
        (where is not None and (execution_id or task_id) is not None, "give --where alone, or an ID or --task."),
        (where is None and (of_tasks or yes), "--tasks, --dry-run and --yes go with --where."),
        (mode is not None and task_id is None, "--mode goes with --task."),
        (hard and mode not in (None, "force"), "--force is a mode of its own: leave --mode out."),
    ]
    for is_wrong, message in wrong:
        if is_wrong:
            raise Refused(message, EXIT_BAD_INPUT)


def _task_id(given: str) -> str:
    try:
        return checked_task_id(given)
    except InvalidInput:
        raise Refused(
            f"{given!r} is no task id. Give one as `rescind tasks` and `rescind show` tell it.", EXIT_BAD_INPUT
        ) from None


def _selection(where: str, *, of_tasks: bool) -> ExecutionFilter | TaskFilter:
    conditions = conditions_of(where)
    if not conditions:
        raise Refused("--where is empty, and would select everything. Give a condition; age>0s is all.", EXIT_BAD_INPUT)
    return task_filter(conditions) if of_tasks else execution_filter(conditions)


def _tell_one(what: str, named: dict[str, str], result: CancelTaskResult, *, as_json: bool) -> None:
    if result is CancelTaskResult.NOT_FOUND:
        raise Refused(f"there is no {what}.", EXIT_NOT_FOUND)
    if as_json:
        print_json({**named, "result": result.value})
    if not result.ok:
        raise Refused(f"{what} {_MET[result]}", EXIT_REFUSED)
    if not as_json:
        click.echo(f"{printable(what[0].upper() + what[1:])} {_MET[result]}")
