"""Tasks that run in processes of their own; they must stand at the top of a module to be found there."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rescind import NonRetryable, TaskContext, task

LONG = 3_600


@task("adding", executor="process")
def adding(ctx: TaskContext, numbers: list[int]) -> int:
    """Adds."""
    return sum(numbers)


@task("where", executor="process")
def where(ctx: TaskContext) -> list[Any]:
    """Tells its process, and what it knows of its task."""
    return [os.getpid(), str(ctx.task_id), ctx.execution_id, ctx.kind, ctx.attempt, dict(ctx.labels)]


@task("reporting", executor="process")
def reporting(ctx: TaskContext) -> None:
    """Says all that a task can say."""
    ctx.report_progress(0.5, "half")
    ctx.log("info", "logged")
    ctx.stream_token("token")
    print("printed")
    print("complained", file=sys.stderr)


@task("failing", executor="process", max_retries=0)
def failing(ctx: TaskContext, how: str) -> int:
    """Fails in one of several ways."""
    match how:
        case "error":
            raise LookupError("no such thing")
        case "never again":
            raise NonRetryable("it cannot help")
        case "exit":
            sys.exit(3)
        case "hard exit":
            os._exit(3)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "wrong type":
            return "text"  # type: ignore[return-value]
    return 0


@task("folder", executor="process")
def folder(ctx: TaskContext) -> str:
    """Uses its folder."""
    (ctx.folder / "file").touch()
    return str(ctx.folder)


@task("leaving", executor="process")
def leaving(ctx: TaskContext, sign: str) -> int:
    """Leaves a process behind."""
    subprocess.Popen(["setsid", "sleep", sign], start_new_session=True)
    return os.getpid()


@task("interrupted", executor="process")
def interrupted(ctx: TaskContext, file: str) -> None:
    """Writes down how its cancel looked."""
    seen: list[str] = []

    def write_down() -> None:
        Path(file).write_text("\n".join([*seen, "hook"]))

    ctx.on_cancel(write_down)
    try:
        print("ready", flush=True)
        while True:
            time.sleep(LONG)
    except Exception:
        seen.append("an ordinary error")
    finally:
        cause = ctx.cancel_cause()
        seen.append(f"{ctx.is_cancelled} {cause and cause.reason}")


@task("asking", executor="process")
def asking(ctx: TaskContext) -> None:
    """Asks whether it is cancelled."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ready", flush=True)
    while True:
        time.sleep(0.001)
        ctx.check_cancelled()


@task("swallowing", executor="process", grace=0.2)
def swallowing(ctx: TaskContext) -> None:
    """Takes no notice of its cancel."""
    print("ready", flush=True)
    while True:
        try:
            time.sleep(LONG)
        except BaseException:
            continue


@task("computing", executor="process", grace=0.2)
def computing(ctx: TaskContext) -> None:
    """Stays in C code, where no signal handler of Python's runs."""
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2**31 - 1)


@task("with-children", executor="process")
def with_children(ctx: TaskContext, sign: str) -> None:
    """Waits for processes that it began."""
    subprocess.Popen(["setsid", "sleep", sign])
    print("ready", flush=True)
    subprocess.run(["sleep", sign], check=False)


@task("chatting", executor="process")
def chatting(ctx: TaskContext) -> None:
    """Reports without end, so that a cancel finds it in the middle of a report."""
    print("ready", flush=True)
    while True:
        ctx.stream_token("x" * 10_000)


@task("finishing", executor="process")
def finishing(ctx: TaskContext, file: str) -> str:
    """Ends when a file appears."""
    print("ready", flush=True)
    while not Path(file).exists():
        pass
    return "done"
