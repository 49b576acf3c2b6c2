"""A measurement that goes wrong is reported, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import pytest

from bench.__main__ import main, take
from bench.catalogue import MEASUREMENTS, chosen
from bench.figures import Figure, figure
from bench.floors import Floors
from bench.machine import this_machine
from bench.measuring import Effort, Measurement, Setting
from bench.processes import line_of, python
from bench.report import Report, empty

FLOORS = Floors(**{each.name: figure(each.name, [1.0], "ms") for each in fields(Floors)})


async def succeed(setting: Setting) -> Sequence[Figure]:
    return [figure("call", [1.0], "ms", floor=setting.floors.one_call)]


async def fail(setting: Setting) -> Sequence[Figure]:
    raise RuntimeError("the server ended")


async def hang(setting: Setting) -> Sequence[Figure]:
    await asyncio.Event().wait()
    return []


def taken(measurement: Measurement, folder: Path) -> Report:
    report = empty(this_machine(folder))
    asyncio.run(take(measurement, Effort.QUICK, folder, FLOORS, report))
    return report


def test_what_a_measurement_finds_is_in_the_report(tmp_path: Path) -> None:
    report = taken(Measurement("calls.one", "", succeed), tmp_path)
    assert [each.ratio for each in report.figures["calls.one"]] == [0.5]


def test_a_measurement_that_fails_is_a_problem_of_the_report(tmp_path: Path) -> None:
    assert taken(Measurement("calls.one", "", fail), tmp_path).problems == {"calls.one": "the server ended"}


def test_a_measurement_that_hangs_is_given_up(tmp_path: Path) -> None:
    report = taken(Measurement("calls.one", "", hang, limit=0.0), tmp_path)
    assert report.problems == {"calls.one": "not measured within 0 s"}


def test_a_process_that_ends_too_soon_says_why() -> None:
    async def scenario() -> None:
        async with python("-c", "raise SystemExit('the port is taken')") as process:
            await line_of(process)

    with pytest.raises(RuntimeError, match="has ended: the port is taken"):
        asyncio.run(scenario())


def test_of_two_processes_the_one_that_ended_is_named() -> None:
    async def scenario() -> None:
        async with python("-c", "raise SystemExit('no store')") as server, python("-c", "input()"):
            await line_of(server)

    with pytest.raises(RuntimeError, match="has ended: no store"):
        asyncio.run(scenario())


def test_a_process_ends_with_its_block_also_when_that_fails() -> None:
    begun: list[Process] = []

    async def scenario() -> None:
        async with python("-c", "print('ready', flush=True); input()") as process:
            begun.append(process)
            await line_of(process)
            raise ValueError("no figure")

    with pytest.raises(ValueError, match="no figure"):
        asyncio.run(scenario())
    assert begun[0].returncode is not None


def test_names_are_unique_and_say_their_subject() -> None:
    names = [each.name for each in MEASUREMENTS]
    assert len(set(names)) == len(names)
    assert all("." in name for name in names)


def test_a_subject_chooses_all_its_measurements() -> None:
    assert {each.subject for each in chosen(["latency"], Effort.QUICK)} == {"latency"}
    assert [each.name for each in chosen(["latency.race"], Effort.QUICK)] == ["latency.race"]


def test_a_name_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "latency.rase"]) == 2
    assert "there is no measurement latency.rase" in capsys.readouterr().err
