"""Containers: begun, heard, limited, ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from rescind.executors import Command, Container, Mount, container, container_images
from sdk.tests.containers.engine import IMAGE, TestEngine
from sdk.tests.containers.observed import ready, result_of
from sdk.tests.worker.executors.observed import in_real_time, observed

MEBIBYTE = 1024 * 1024


@in_real_time
async def test_the_result_has_the_exit_code_and_both_outputs_told_apart() -> None:
    async with observed(container("speaking", IMAGE, "echo to you; echo to me >&2")) as seen:
        result = result_of(await seen.over())
    assert (result.exit_code, result.stdout, result.stderr) == (0, "to you\n", "to me\n")
    assert (seen.output("stdout"), seen.output("stderr")) == ("to you\n", "to me\n")


@in_real_time
async def test_what_is_written_is_streamed_while_the_container_runs(tmp_path: Path) -> None:
    command = "echo ready; while [ ! -e /shared/go ]; do sleep 0.01; done; echo done"
    async with ready(container("waiting", IMAGE, command, mounts=[Mount(str(tmp_path), "/shared")])) as seen:
        (tmp_path / "go").touch()
        assert result_of(await seen.over()).stdout == "ready\ndone\n"


@in_real_time
async def test_another_exit_code_is_a_failure_with_the_last_lines() -> None:
    async with observed(container("failing", IMAGE, "seq 100 >&2; exit 3", max_retries=0)) as seen:
        record = await seen.over()
    assert (record.status, record.view.failure and record.view.failure.error_type) == ("FAILED", "CommandFailed")
    assert record.error is not None
    assert record.error.startswith("exit code 3\n81\n82\n")


@in_real_time
async def test_unchecked_an_exit_code_is_a_result() -> None:
    async with observed(container("answering", IMAGE, "exit 3", check=False)) as seen:
        assert result_of(await seen.over()).exit_code == 3


@in_real_time
async def test_a_signal_is_a_result_as_shells_say_it() -> None:
    async with observed(container("crashing", IMAGE, "kill -SEGV $$", check=False)) as seen:
        result = result_of(await seen.over())
    assert (result.exit_code, result.signal) == (139, "SIGSEGV")


@in_real_time
async def test_one_whose_memory_is_used_up_says_so() -> None:
    # tail keeps all of a line until its end has come.
    greedy = container("greedy", IMAGE, "tail -n 1 /dev/zero", memory=8 * MEBIBYTE, check=False)
    async with observed(greedy) as seen:
        result = result_of(await seen.over())
    assert (result.oom_killed, result.signal) == (True, "SIGKILL")


@in_real_time
async def test_used_up_memory_stands_in_the_failure() -> None:
    greedy = container("greedy", IMAGE, "tail -n 1 /dev/zero", memory=8 * MEBIBYTE, max_retries=0)
    async with observed(greedy) as seen:
        assert (await seen.over()).error == "its memory was used up: it was ended by SIGKILL"


@in_real_time
async def test_a_list_is_handed_over_without_a_shell() -> None:
    async with observed(container("plain", IMAGE, ["echo", "$HOME;", "a  b"])) as seen:
        assert result_of(await seen.over()).stdout == "$HOME; a  b\n"


@in_real_time
async def test_variables_folder_and_user_are_the_container_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_WORKER", "secret")
    definition = container("outfitted", IMAGE, "env; pwd; id -u", env={"GIVEN": "given"}, cwd="/bin", user="guest")
    async with observed(definition) as seen:
        said = result_of(await seen.over()).stdout.splitlines()
    assert "GIVEN=given" in said
    assert said[-2:] == ["/bin", "1000"]
    assert not any("OF_THE_WORKER" in line for line in said)


@in_real_time
async def test_the_engine_is_told_the_limits_the_network_and_whose_it_is(engine: TestEngine) -> None:
    definition = container("limited", IMAGE, "echo ready; sleep 1000", cpus=0.5, memory=16 * MEBIBYTE)
    async with ready(definition) as seen:
        (listed,) = engine.containers()
        task_id = (await seen.record()).task_id
        host = engine.ask("GET", f"/containers/{listed['Id']}/json")["HostConfig"]
        await seen.cancel()
        await seen.over()
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (500_000_000, 16 * MEBIBYTE, 16 * MEBIBYTE)
    assert (host["NetworkMode"], host["LogConfig"]["Type"]) == ("none", "none")
    assert listed["Labels"]["dev.rescind.attempt"] == f"{task_id}/1"
    assert {"dev.rescind.worker", "dev.rescind.machine", "dev.rescind.kind"} <= listed["Labels"].keys()


@in_real_time
async def test_it_sees_what_is_mounted_and_changes_only_what_is_writable(tmp_path: Path) -> None:
    mounts = [Mount(str(tmp_path / "in"), "/in"), Mount(str(tmp_path / "out"), "/out", writable=True)]
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "text").write_text("read")
    command = "cat /in/text > /out/text; touch /in/more"
    async with observed(container("mounted", IMAGE, command, mounts=mounts, check=False)) as seen:
        assert result_of(await seen.over()).exit_code != 0
    assert (tmp_path / "out" / "text").read_text() == "read"
    assert not (tmp_path / "in" / "more").exists()


@in_real_time
async def test_a_mount_of_the_input_outside_of_its_roots_is_rejected(tmp_path: Path) -> None:
    root = tmp_path / "allowed"
    root.mkdir()
    (root / "link").symlink_to("/etc")

    def command(source: str) -> Container:
        return Container(image=IMAGE, command="echo seen", mounts=(Mount(source, "/seen"),))

    definition = container("choosing", IMAGE, command, mount_roots=[root])
    for source in ("/etc", str(root / "link"), f"{root}/../other", f"{root}-beside"):
        async with observed(definition, source) as seen:
            record = await seen.over()
        assert record.view.failure is not None
        assert (record.view.failure.kind, record.attempts) == ("REJECTED", 1)
        assert record.error == (f"this worker does not allow the mount of {source!r}. It allows what lies in {root}.")
    async with observed(definition, str(root)) as seen:
        assert result_of(await seen.over()).stdout == "seen\n"


@in_real_time
async def test_a_mount_of_what_is_not_there_fails_for_good() -> None:
    mounts = [Mount("/no/such/folder", "/seen")]
    async with observed(container("mounted", IMAGE, ["true"], mounts=mounts)) as seen:
        record = await seen.over()
    assert record.attempts == 1
    assert "bind source path does not exist: /no/such/folder" in str(record.error)


@in_real_time
async def test_a_function_makes_the_command_of_the_input() -> None:
    def counted(upto: int) -> Command:
        return Command(command=["seq", str(upto)])

    async with observed(container("counting", IMAGE, counted), 3) as seen:
        assert result_of(await seen.over()).stdout == "1\n2\n3\n"


@in_real_time
async def test_an_input_names_an_image_that_is_allowed() -> None:
    given = Container(image=IMAGE, command=["echo", "chosen"])
    async with observed(container_images(allowed=["busybox-*"]), given) as seen:
        assert result_of(await seen.over()).stdout == "chosen\n"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (Container(image="alpine:3"), "this worker does not allow the image 'alpine:3'. It allows 'busybox-*'."),
        (
            Container(image=IMAGE, network="host"),
            "this worker does not allow the network 'host'. It allows 'none' and 'bridge'.",
        ),
        (
            Container(image=IMAGE, mounts=(Mount("/etc", "/etc"),)),
            "this worker does not allow the mount of '/etc'. It allows none.",
        ),
    ],
)
def test_an_input_that_is_not_allowed_is_rejected(given: Container, error: str) -> None:
    @in_real_time
    async def main() -> None:
        async with observed(container_images(allowed=["busybox-*"]), given) as seen:
            record = await seen.over()
        assert (record.status, record.attempts, record.error) == ("FAILED", 1, error)

    main()


@pytest.mark.parametrize("init", [True, False])
@pytest.mark.parametrize("program", ["no-such-program", "/etc/passwd"])
def test_a_program_that_cannot_be_run_fails_for_good_and_is_named(init: bool, program: str) -> None:
    @in_real_time
    async def main() -> None:
        async with observed(container("missing", IMAGE, [program], init=init)) as seen:
            record = await seen.over()
        assert record.attempts == 1
        assert program in str(record.error)

    main()


@in_real_time
async def test_output_that_is_no_text_and_lines_without_an_end_are_taken() -> None:
    command = r"printf 'a\377b'; head -c 3000000 /dev/zero >&2"
    async with observed(container("babbling", IMAGE, command)) as seen:
        result = result_of(await seen.over())
    assert (result.stdout, result.stderr_bytes, len(result.stderr)) == ("a\ufffdb", 3_000_000, 64 * 1024)


@in_real_time
async def test_a_hundred_megabytes_are_taken_and_the_last_of_them_kept(tmp_path: Path) -> None:
    command = "yes 0123456789abcde | head -c 100000000; echo; echo the end"
    definition = container("flooding", IMAGE, command, output_folder=tmp_path)
    async with observed(definition) as seen:
        result = result_of(await seen.over())
    assert result.stdout_bytes == 100_000_000 + len("\nthe end\n")
    assert result.stdout.endswith("\nthe end\n")
    sizes = {entry.name.rpartition("-")[2]: entry.stat().st_size for entry in os.scandir(tmp_path)}
    assert sizes == {"stdout.log": result.stdout_bytes}


@in_real_time
async def test_what_a_container_leaves_running_ends_with_it() -> None:
    async with observed(container("leaving", IMAGE, "setsid sleep 1000 & echo left")) as seen:
        assert result_of(await seen.over()).stdout == "left\n"


@pytest.mark.parametrize("options", [{"network": "no-such-network"}, {"user": "nobody-here"}])
def test_what_the_engine_refuses_is_told_in_its_words(options: dict[str, Any]) -> None:
    @in_real_time
    async def main() -> None:
        async with observed(container("odd", IMAGE, ["true"], max_retries=0, **options)) as seen:
            record = await seen.over()
        assert next(iter(options.values())) in str(record.error)

    main()
