"""Programs: begun, heard, told apart, ended. cancellation.md, section 4."""

from __future__ import annotations

from pathlib import Path

import pytest

from rescind import InvalidInput
from rescind.authoring.conversion import decode
from rescind.client.records import TaskRecord
from rescind.executors import Command, CommandResult, shell, shell_commands
from sdk.tests.worker.executors.observed import in_real_time, observed


def result_of(record: TaskRecord) -> CommandResult:
    assert record.status == "COMPLETED", record
    assert record.view.output is not None
    result: CommandResult = decode(record.view.output, CommandResult, what="output")
    return result


@in_real_time
async def test_the_result_has_the_exit_code_and_both_outputs_told_apart() -> None:
    async with observed(shell("speaking", "echo to you; echo to me >&2")) as seen:
        result = result_of(await seen.over())
    assert (result.exit_code, result.stdout, result.stderr) == (0, "to you\n", "to me\n")
    assert (seen.output("stdout"), seen.output("stderr")) == ("to you\n", "to me\n")


@in_real_time
async def test_what_is_written_is_streamed_while_the_program_runs(tmp_path: Path) -> None:
    command = f"echo ready; while [ ! -e {tmp_path}/go ]; do sleep 0.01; done; echo done"
    async with observed(shell("waiting", command)) as seen:
        await seen.said("ready\n")
        (tmp_path / "go").touch()
        assert result_of(await seen.over()).stdout == "ready\ndone\n"


@in_real_time
async def test_a_question_without_an_end_of_line_is_streamed_too(tmp_path: Path) -> None:
    command = f"printf 'Name? '; while [ ! -e {tmp_path}/go ]; do sleep 0.01; done"
    async with observed(shell("asking", command)) as seen:
        await seen.said("Name? ")
        (tmp_path / "go").touch()
        await seen.over()


@in_real_time
async def test_another_exit_code_is_a_failure_with_the_last_lines() -> None:
    async with observed(shell("failing", "seq 100 >&2; exit 3", max_retries=0)) as seen:
        record = await seen.over()
    assert (record.status, record.view.failure and record.view.failure.error_type) == ("FAILED", "CommandFailed")
    assert record.error is not None
    assert record.error.startswith("exit code 3\n81\n82\n")
    assert record.error.endswith("\n100")


@in_real_time
async def test_a_failure_by_a_signal_names_it() -> None:
    async with observed(shell("crashing", "kill -SEGV $$", max_retries=0)) as seen:
        assert (await seen.over()).error == "it was ended by SIGSEGV"


@in_real_time
async def test_unchecked_an_exit_code_is_a_result() -> None:
    async with observed(shell("answering", "exit 3", check=False)) as seen:
        assert result_of(await seen.over()).exit_code == 3


@in_real_time
async def test_unchecked_a_signal_is_a_result_as_shells_say_it() -> None:
    async with observed(shell("crashing", "kill -SEGV $$", check=False)) as seen:
        result = result_of(await seen.over())
    assert (result.exit_code, result.signal) == (139, "SIGSEGV")


@in_real_time
async def test_a_list_is_handed_over_without_a_shell() -> None:
    async with observed(shell("plain", ["echo", "$HOME;", "a  b"])) as seen:
        assert result_of(await seen.over()).stdout == "$HOME; a  b\n"


@in_real_time
async def test_variables_folder_and_input_are_the_program_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEPT", "kept")
    monkeypatch.setenv("TAKEN", "taken")
    definition = shell(
        "outfitted",
        'echo "$KEPT,$TAKEN,$GIVEN"; pwd; cat',
        env={"GIVEN": "given", "TAKEN": None},
        cwd=tmp_path,
        stdin="said\n",
    )
    async with observed(definition) as seen:
        assert result_of(await seen.over()).stdout == f"kept,,given\n{tmp_path}\nsaid\n"


@in_real_time
async def test_the_worker_s_token_is_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESCIND_TOKEN", "secret")
    async with observed(shell("curious", "env")) as seen:
        assert "secret" not in result_of(await seen.over()).stdout


@in_real_time
async def test_a_function_makes_the_command_of_the_input() -> None:
    def counted(upto: int) -> list[str]:
        return ["seq", str(upto)]

    definition = shell("counting", counted)
    assert definition.input_type is int
    async with observed(definition, 3) as seen:
        assert result_of(await seen.over()).stdout == "1\n2\n3\n"


@pytest.mark.parametrize(
    ("command", "cwd", "error"),
    [
        ("no-such-program", None, "'no-such-program' cannot be run: No such file or directory"),
        ("./not-executable", "{here}", "'./not-executable' cannot be run in the folder '{here}': Permission denied"),
        ("./no-program", "{here}", "'./no-program' cannot be run in the folder '{here}': Exec format error"),
        (
            "true",
            "{here}/no/such",
            "'true' cannot be run in the folder '{here}/no/such': its working folder cannot be entered: "
            "No such file or directory",
        ),
        (
            "true",
            "{here}/no-program",
            "'true' cannot be run in the folder '{here}/no-program': its working folder cannot be entered: "
            "Not a directory",
        ),
    ],
)
def test_what_cannot_be_begun_fails_at_once_and_is_not_tried_again(
    command: str, cwd: str | None, error: str, tmp_path: Path
) -> None:
    (tmp_path / "not-executable").write_text("#!/bin/sh\n")
    (tmp_path / "no-program").write_text("?")
    (tmp_path / "no-program").chmod(0o700)

    @in_real_time
    async def main() -> None:
        folder = cwd.format(here=tmp_path) if cwd is not None else None
        async with observed(shell("impossible", [command], cwd=folder)) as seen:
            record = await seen.over()
        assert (record.status, record.attempts, record.error) == ("FAILED", 1, error.format(here=tmp_path))

    main()


@in_real_time
async def test_what_is_no_utf8_is_replaced() -> None:
    async with observed(shell("binary", "printf 'a\\377b\\303\\244'")) as seen:
        assert result_of(await seen.over()).stdout == "a\ufffdbä"
    assert seen.output() == "a\ufffdbä"


@in_real_time
async def test_a_huge_line_is_divided() -> None:
    async with observed(shell("endless-line", "head -c 300000 /dev/zero | tr '\\0' x")) as seen:
        result = result_of(await seen.over())
    assert (result.stdout_bytes, len(result.stdout)) == (300_000, 64 * 1024)
    assert seen.output() == "x" * 300_000
    assert max(len(event.value["text"]) for event in seen.events) <= 32 * 1024


@in_real_time
async def test_of_a_flood_a_part_is_streamed_its_end_is_kept_and_the_rest_is_counted() -> None:
    async with observed(shell("flooding", "seq 3000000")) as seen:
        result = result_of(await seen.over())
    shown = len(seen.output())
    left_out = sum(event.value.get("left_out", 0) for event in seen.events)
    assert result.stdout.endswith("\n2999999\n3000000\n")
    assert 0 < shown < result.stdout_bytes == shown + left_out


def test_a_long_output_is_kept_whole_where_it_is_asked_for(tmp_path: Path) -> None:
    @in_real_time
    async def main() -> None:
        async with observed(shell("long", "seq 50000; echo short >&2", output_folder=tmp_path)) as seen:
            await seen.over()

    main()
    (kept,) = tmp_path.iterdir()
    assert kept.name.endswith("-1-stdout.log")
    assert kept.read_text() == "".join(f"{number}\n" for number in range(1, 50_001))


@in_real_time
async def test_what_a_program_leaves_running_is_killed_when_it_ends(sign: str) -> None:
    async with observed(shell("leaving", f"setsid sleep {sign} & sleep {sign} & echo gone")) as seen:
        assert result_of(await seen.over()).stdout == "gone\n"


# --- commands as input -----------------------------------------------------------------------------------------------


@in_real_time
async def test_an_input_may_be_the_command_where_a_pattern_allows_it() -> None:
    async with observed(shell_commands(allowed=["echo *"]), Command(command=["echo", "a", "b"])) as seen:
        assert result_of(await seen.over()).stdout == "a b\n"


@in_real_time
async def test_a_line_is_cut_into_words_and_no_shell_sees_it() -> None:
    async with observed(shell_commands(allowed=["echo *"]), Command(command="echo a; echo b")) as seen:
        assert result_of(await seen.over()).stdout == "a; echo b\n"


@in_real_time
async def test_everything_allowed_means_lines_for_the_shell_too() -> None:
    async with observed(shell_commands(allowed=["*"]), Command(command="echo $X", env={"X": "x"})) as seen:
        assert result_of(await seen.over()).stdout == "x\n"


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (Command(command=["rm", "-r"]), "this worker does not allow the command 'rm -r'. It allows 'echo *', 'git ?'."),
        (Command(command=["git", "ab"]), "does not allow the command 'git ab'"),
        (Command(command=["git", "a", "b"]), "does not allow the command 'git a b'"),
        (Command(command=["echo", "a"], env={"PATH": "/tmp"}), "allows no variables and no folder"),
        (Command(command=["echo", "a"], cwd="/tmp"), "allows no variables and no folder"),
        (Command(command="echo 'a"), "cannot be cut into words"),
    ],
)
def test_a_command_that_no_pattern_allows_is_rejected(command: Command, error: str) -> None:
    @in_real_time
    async def main() -> None:
        async with observed(shell_commands(allowed=["echo *", "git ?"]), command) as seen:
            record = await seen.over()
        assert (record.status, record.attempts, record.view.failure and record.view.failure.kind) == (
            "FAILED",
            1,
            "REJECTED",
        )
        assert error in (record.error or "")

    main()


@pytest.mark.parametrize("allowed", [[], [" "], ["'"], "echo *"])
def test_patterns_that_cannot_be_meant_are_refused(allowed: list[str]) -> None:
    with pytest.raises(InvalidInput):
        shell_commands(allowed=allowed)


@pytest.mark.parametrize("command", ["", [], [""], ["a\0b"], 3, b"echo"])
def test_what_is_no_command_is_refused_where_it_is_defined(command: object) -> None:
    with pytest.raises(InvalidInput):
        shell("nothing", command)  # type: ignore[call-overload]


def test_called_itself_it_says_who_runs_it() -> None:
    with pytest.raises(InvalidInput, match="'build' runs a program, in a worker"):
        shell("build", "make").run(None)
