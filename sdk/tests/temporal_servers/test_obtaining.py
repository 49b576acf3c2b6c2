"""Where a server of Temporal is found, and what is said when there is none."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from pathlib import Path

import pytest

from fixtures.obtaining.cache import cache_folder
from fixtures.temporal_servers.kinds import SERVERS
from fixtures.temporal_servers.obtaining import ServerMissing, find, obtain
from sdk.tests.temporal_servers.known import VARIABLE, ask_at_once, dies, fails, known, makes, script


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    return {"RESCIND_CACHE": str(tmp_path / "cache")}


def test_an_existing_server_is_taken_and_none_made(tmp_path: Path, environment: Mapping[str, str]) -> None:
    given = script(tmp_path / "temporal", "#!/bin/sh\n")
    assert obtain(known(fails), {**environment, VARIABLE: str(given)}) == given
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("given", ["no/such/file", "."])
def test_a_wrong_path_is_refused_and_not_replaced_by_another_server(given: str, environment: Mapping[str, str]) -> None:
    with pytest.raises(ServerMissing, match=f"{VARIABLE} names {given}, which is no file that can be executed"):
        obtain(known(makes), {**environment, VARIABLE: given})


def test_what_was_made_is_kept(environment: Mapping[str, str]) -> None:
    made = obtain(known(makes), environment)
    assert made.read_text() == "made"
    assert made.stat().st_mode & 0o777 == 0o755
    assert obtain(known(fails), environment) == made


def test_finding_makes_nothing(environment: Mapping[str, str]) -> None:
    with pytest.raises(ServerMissing, match=r"Run `python -m fixtures.temporal_servers`"):
        find(known(makes), environment)
    made = obtain(known(makes), environment)
    assert find(known(makes), environment) == made


def test_the_next_way_is_tried_when_one_fails(environment: Mapping[str, str]) -> None:
    said: list[str] = []
    assert obtain(known(fails, makes), environment, said.append).read_text() == "made"
    assert said == [
        f"the tested server: making it by way 1, in {_kept(environment)}; this can take minutes, once",
        "the tested server: way 1: `tool` is not on PATH; install tool",
        f"the tested server: making it by way 2, in {_kept(environment)}; this can take minutes, once",
    ]


def test_the_refusal_is_one_line_that_tells_each_way_and_what_to_do(environment: Mapping[str, str]) -> None:
    with pytest.raises(ServerMissing) as refusal:
        obtain(known(fails, fails), environment)
    assert str(refusal.value) == (
        "the tested server cannot be had. Tried way 1: `tool` is not on PATH; install tool; "
        f"way 2: `tool` is not on PATH; install tool. Or set {VARIABLE} to the path of an existing one."
    )


def test_half_of_a_server_is_never_found(environment: Mapping[str, str]) -> None:
    with pytest.raises(ServerMissing):
        obtain(known(fails), environment)
    with pytest.raises(KeyboardInterrupt):
        obtain(known(dies), environment)
    assert obtain(known(makes), environment).read_text() == "made"


def test_what_a_killed_process_left_is_removed(environment: Mapping[str, str]) -> None:
    left = Path(_kept(environment) + ".unfinished-1")
    left.mkdir(parents=True)
    obtain(known(makes), environment)
    assert not left.exists()


def test_of_many_that_ask_at_once_one_makes_it(tmp_path: Path, environment: Mapping[str, str]) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(3)
    processes = [spawn.Process(target=ask_at_once, args=(barrier, environment, tmp_path)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(list(tmp_path.glob("made-by-*"))) == 1


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServerMissing, match="Set RESCIND_CACHE to a folder that can be written"):
        obtain(known(makes), {"RESCIND_CACHE": str(tmp_path / "file")})


def test_the_cache_is_the_users_unless_it_is_named(tmp_path: Path) -> None:
    assert cache_folder({"RESCIND_CACHE": str(tmp_path)}) == tmp_path
    assert cache_folder({}).is_relative_to(Path.home())


@pytest.mark.parametrize("name", SERVERS)
def test_a_package_registry_comes_before_temporals_own_download(name: str) -> None:
    registry = {"dev": "the Go module", "test": "the Maven artefact"}[name]
    assert [way.name for way in SERVERS[name].ways] == [registry, "temporalio's download"]


def _kept(environment: Mapping[str, str]) -> str:
    return f"{environment['RESCIND_CACHE']}/temporal/server-1.0"
