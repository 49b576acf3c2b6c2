"""The logs of `rescind server` and `rescind worker`: their form is chosen, ids are in them, and no secret ever is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rescind.cli.options import ADDRESS_VARIABLE
from rescind.model.ids import Instant
from rescind_server.access.token_file import TokenFile, beside
from rescind_server.access.tokens import Role
from sdk.tests.cli.programs import Programs, in_time, next_event

PAYLOAD = "what-only-the-customer-knows"
EXECUTIONS = "/api/v1/executions"
WRONG_TOKEN = "rescind_nobody_ever_made_this_one"
WORK = """
import logging

from rescind import AgentContext, TaskContext, agent, task

LOG = logging.getLogger("of.the.program")


@task("telling", max_retries=0)
async def telling(ctx: TaskContext, secret: str) -> str:
    LOG.info("at work")
    ctx.on_cancel(lambda: 1 / 0)
    if secret.endswith("?"):
        raise ValueError(secret)
    return secret


@agent("asking")
async def asking(ctx: AgentContext, secret: str) -> str:
    LOG.info("begun")
    answer = await ctx.schedule(telling, secret)
    await ctx.wait_for_signal_raw("go")
    return answer
"""


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    (tmp_path / "logged_work.py").write_text(WORK)
    started = Programs(tmp_path)
    try:
        yield started
    finally:
        started.end()


def serve(programs: Programs, *options: str) -> Any:
    serving = next_event(
        programs.begin("server", "--store", "store.db", "--address", "127.0.0.1:0", "--json", *options)
    )
    programs.environment[ADDRESS_VARIABLE] = serving["address"]
    return serving


def log_of(programs: Programs) -> list[dict[str, Any]]:
    """Every line of both logs; each of them is a JSON object."""
    return [json.loads(line) for line in programs.log().splitlines()]


def said(programs: Programs, message: str) -> dict[str, Any]:
    """The first line that says this, as soon as it is there."""
    return in_time(lambda: next((line for line in log_of(programs) if line["message"] == message), None))


def test_json_lines_say_which_execution_task_and_attempt_they_are_about(programs: Programs) -> None:
    programs.environment |= {"RESCIND_LOG": "json", "TRACEPARENT": f"00-{'5' * 32}-{'6' * 16}-01"}
    serve(programs)
    working = next_event(programs.begin("worker", "logged_work", "--json"))
    programs.json("start", "asking", '"a"', "--id", "a-1")
    of_task, of_agent = said(programs, "at work"), said(programs, "begun")
    (task,) = in_time(lambda: programs.json("tasks", "--execution", "a-1", "--all")["tasks"] or None)
    assert (of_task["level"], of_task["logger"]) == ("INFO", "of.the.program")
    assert (of_task["execution_id"], of_task["task_id"], of_task["attempt"]) == ("a-1", task["task_id"], 1)
    assert (of_agent["execution_id"], of_agent["organisation"], "task_id" in of_agent) == ("a-1", "default", False)
    assert {of_task["trace_id"], of_agent["trace_id"]} == {"5" * 32}
    assert {of_task["worker"], of_agent["worker"]} == {working["worker_id"]}


def test_the_text_of_a_log_has_the_ids_too_and_little_is_told_where_only_errors_are_wanted(programs: Programs) -> None:
    serve(programs, "--log-level", "error")
    next_event(programs.begin("worker", "logged_work", "--json", "--log", "text"))
    programs.json("start", "asking", '"a"', "--id", "a-1")
    in_time(lambda: "at work [execution_id=a-1 " in programs.log() or None)
    assert "rescind_server" not in programs.log()


def test_neither_tokens_nor_payloads_get_into_a_log_at_any_level(programs: Programs, tmp_path: Path) -> None:
    file = TokenFile(beside(tmp_path / "store.db"))
    tokens = {role: file.create(role.value.lower(), role, Instant(1))[1] for role in Role}
    noisy = ("--log", "json", "--log-level", "debug")
    serving = serve(programs, *noisy)
    programs.environment["RESCIND_TOKEN"] = tokens[Role.WORKER]
    next_event(programs.begin("worker", "logged_work", "--json", *noisy))

    programs.environment["RESCIND_TOKEN"] = WRONG_TOKEN
    refused = programs.run("start", "asking", f'"{PAYLOAD}"'), programs.run("worker", "logged_work", *noisy)
    assert [each.returncode for each in refused] == [4, 4]
    programs.environment["RESCIND_TOKEN"] = tokens[Role.CLIENT]
    programs.json("start", "asking", f'"{PAYLOAD}"', "--id", "a-1")
    programs.json("start", "asking", f'"{PAYLOAD}?"', "--id", "a-2")
    said(programs, "at work")
    with httpx.Client(base_url=f"http://{serving['http']}") as http:
        for token in (WRONG_TOKEN, tokens[Role.CLIENT], tokens[Role.OPERATOR]):
            http.headers["authorization"] = f"Bearer {token}"
            http.post(EXECUTIONS, json={"kind": "asking", "input": PAYLOAD})
            http.post(EXECUTIONS, json={"kind": 7, "input": PAYLOAD})
            http.post(EXECUTIONS, content=f'{{"input": "{PAYLOAD}", '.encode())
            http.post(f"{EXECUTIONS}/a-1/signal", json={"name": "go", "value": PAYLOAD})
            http.post(f"{EXECUTIONS}/a-2/cancel", json={"reason": "enough"})
    programs.run("show", "a-1")
    assert len(log_of(programs)) > 5
    for secret in (*tokens.values(), WRONG_TOKEN, PAYLOAD, "Bearer"):
        assert secret not in programs.log() + "".join(each.stderr for each in refused), secret


def test_a_form_that_there_is_not_is_refused_in_one_line(programs: Programs) -> None:
    programs.environment["RESCIND_LOG"] = "xml"
    done = programs.run("server")
    assert (done.returncode, "json" in done.stderr) == (2, True)
