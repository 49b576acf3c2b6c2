"""`rescind demo`: a story of racing, cancelling and joining, played on the embedded backend."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import click
from rich.console import Console

from rescind.cli.demo_json import document, listing
from rescind.cli.demo_play import Played, play_in_real_time, play_in_virtual_time
from rescind.cli.demo_stage import LiveStage, print_lines, show_replayed, show_still
from rescind.cli.demo_view import ClockName, View
from rescind.cli.scenarios import Scenario, catalogue, scenario_of
from rescind.model.status import ExecutionStatus

DEFAULT_SCENARIO = "racing_tasks_with_cancellation"


@click.command()
@click.option(
    "--scenario", "name", default=DEFAULT_SCENARIO, metavar="NAME", help="Which story; --list tells the names."
)
@click.option("--list", "lists", is_flag=True, help="Name the stories, and play none.")
@click.option("--json", "as_json", is_flag=True, help="Print outcome and history as one JSON object, for programs.")
@click.option("--real-time", is_flag=True, help="Let the machine's clock run, instead of a virtual one.")
@click.option("--seed", default=0, metavar="NUMBER", help="What the ids are drawn from; 0 unless given.")
def demo(name: str, lists: bool, as_json: bool, real_time: bool, seed: int) -> None:
    """Watch agents race tasks, take the winner and cancel the losers.

    Everything runs in this process, on the embedded engine, and in virtual time: however long a task sleeps, there is
    no waiting for it. What you see is the recorded history, at a pace for people.
    """
    scenario = scenario_of(name)
    clock: ClockName = "real" if real_time else "virtual"
    if lists:
        _list(as_json=as_json)
    elif as_json:
        executions = _play(scenario, clock, seed)
        _print_json(document(scenario, seed, clock, executions))
        _exit_unless_completed(executions)
    else:
        _exit_unless_completed(_show(scenario, clock, seed))


def _list(*, as_json: bool) -> None:
    scenarios = catalogue().SCENARIOS.values()
    if as_json:
        _print_json(listing(scenarios))
    else:
        longest = max(len(scenario.name) for scenario in scenarios)
        for scenario in scenarios:
            click.echo(f"{scenario.name:<{longest}}  {scenario.story}")


def _play(scenario: Scenario, clock: ClockName, seed: int) -> list[Played]:
    if clock == "virtual":
        return play_in_virtual_time(scenario, seed)
    return asyncio.run(play_in_real_time(scenario, seed, None))


def _show(scenario: Scenario, clock: ClockName, seed: int) -> list[Played]:
    console = _console()
    view = View(console, clock)
    print_lines(console, view.heading(scenario))
    moves = sys.stdout.isatty() and console.is_terminal and not console.is_dumb_terminal
    if clock == "real" and moves:
        executions = asyncio.run(_show_live(console, view, scenario, seed))
    else:
        executions = _play(scenario, clock, seed)
        show = show_replayed if moves else show_still
        show(console, view, executions)
    print_lines(console, view.next_steps(scenario, catalogue().SCENARIOS.values()))
    return executions


async def _show_live(console: Console, view: View, scenario: Scenario, seed: int) -> list[Played]:
    stage = LiveStage(console, view, among=len(scenario.inputs))
    try:
        return await play_in_real_time(scenario, seed, stage)
    finally:
        stage.close()


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False)


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _exit_unless_completed(executions: list[Played]) -> None:
    if any(played.status is not ExecutionStatus.COMPLETED for played in executions):
        click.get_current_context().exit(1)
