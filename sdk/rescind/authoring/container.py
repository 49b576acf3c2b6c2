"""``container``: a task that runs in a container of Docker or Podman."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar, Unpack, overload

import msgspec

from rescind.authoring.container_work import (
    NO_NETWORK,
    Container,
    ContainerResult,
    ContainerWork,
    Mount,
    Pull,
    checked_roots,
)
from rescind.authoring.shell import STREAMED_PER_SECOND, Command
from rescind.authoring.signature import check_kind
from rescind.authoring.task import TaskDefinition
from rescind.authoring.work import WorkOptions, patterns_given, work_definition
from rescind.errors import InvalidInput
from rescind.model.options import RetryPolicy, ScheduleAgentTaskOptions, Seconds

InputT = TypeVar("InputT")

CommandLike = Command | str | Sequence[str]
MountsLike = Iterable[Mount] | Callable[[Any], Iterable[Mount]]


class ContainerOptions(WorkOptions, total=False):
    """The options of `container`, for type checkers."""

    env: Mapping[str, str] | None
    mounts: MountsLike
    mount_roots: Iterable[str | os.PathLike[str]] | None
    cwd: str | None
    user: str | None
    cpus: float | None
    memory: int | None
    network: str
    pull: Pull
    init: bool


@overload
def container(
    kind: str, image: str, command: CommandLike | None = None, /, **options: Unpack[ContainerOptions]
) -> TaskDefinition[None, ContainerResult]: ...
@overload
def container(
    kind: str, image: str, command: Callable[[InputT], CommandLike | Container], /, **options: Unpack[ContainerOptions]
) -> TaskDefinition[InputT, ContainerResult]: ...


def container(
    kind: str,
    image: str,
    command: CommandLike | Callable[[Any], CommandLike | Container] | None = None,
    /,
    *,
    env: Mapping[str, str] | None = None,
    mounts: MountsLike = (),
    mount_roots: Iterable[str | os.PathLike[str]] | None = None,
    cwd: str | None = None,
    user: str | None = None,
    cpus: float | None = None,
    memory: int | None = None,
    network: str = NO_NETWORK,
    pull: Pull = "missing",
    init: bool = True,
    check: bool = True,
    output_folder: str | os.PathLike[str] | None = None,
    queue: str | None = None,
    timeout: Seconds | None = None,
    schedule_to_start: Seconds | None = None,
    start_to_close: Seconds | None = None,
    schedule_to_close: Seconds | None = None,
    idle: Seconds | None = None,
    retry: RetryPolicy | None = None,
    max_retries: int | None = None,
    grace: Seconds | None = None,
    labels: Mapping[str, str] | None = None,
    version: str = "1.0.0",
    description: str | None = None,
    tags: Iterable[str] = (),
) -> TaskDefinition[Any, ContainerResult]:
    """Define a task that runs in a container of Docker or Podman, which is always removed.

    A cancel sends SIGTERM, and kills the container when the grace (10 s unless set) is over; a grace of 0 kills at
    once. What it writes is streamed as events of kind ``output``, as that of `shell`.

    Args:
        kind: the name under which it is registered and scheduled.
        image: its image, as ``alpine:3``.
        command: a list for the image's entrypoint, a line for the image's ``/bin/sh``, a Command, or None for what the
            image says; or a function that makes one of these, or a whole Container, from the task's input.
        env: its variables. It gets none of the worker's.
        mounts: what it sees of the machine; or a function that makes them from the task's input.
        mount_roots: the folders in which the sources of mounts must lie, also where links lead. Mounts that are made
            from an input must lie in one, others only if roots are given.
        cwd: the working folder in it. For this and the following, a made Container that says something else is
            followed.
        user: who runs the command, as ``1000:1000``; else who the image says.
        cpus: how many processors it may keep busy.
        memory: how many bytes of memory it may use, swap included.
        network: ``none``, ``bridge``, ``host``, or a network's name.
        pull: when its image is fetched: ``missing``, if the engine does not have it; ``never``; or ``always``.
        init: whether a small init runs as its first process; without it, a command hears SIGTERM only if it asks.
        check: whether an exit code other than 0 is a failure, and tried again as such; else it is a result.
        output_folder: where outputs longer than 64 KiB are kept whole, as ``<task>-<attempt>-stdout.log``; else they
            lie in the attempt's folder, and are gone with it.
        queue: holds where scheduling says nothing, as all the following; see ScheduleAgentTaskOptions.
        timeout: likewise, as `schedule_to_close`. Times are seconds or timedeltas.
        schedule_to_start: likewise.
        start_to_close: likewise.
        schedule_to_close: likewise.
        idle: likewise; what it writes is progress.
        retry: likewise.
        max_retries: likewise.
        grace: likewise.
        labels: likewise.
        version: for people and catalogues.
        description: likewise.
        tags: likewise.

    Returns:
        A task, as ``@task`` makes it; its result is a ContainerResult.

    Raises:
        InvalidInput: the container or an option cannot be meant.
    """
    check_kind("task", kind)
    said: dict[str, Any] = {
        "image": image,
        "env": dict(env or {}),
        "cwd": cwd,
        "user": user,
        "cpus": cpus,
        "memory": memory,
        "network": network,
        "pull": pull,
        "init": init,
    }
    is_made = callable(command) or callable(mounts)
    made = _maker(command, mounts, said)
    work = ContainerWork(
        container=made if is_made else made(None),
        mount_roots=checked_roots(mount_roots) if mount_roots is not None or is_made else None,
        check=check,
        output_folder=None if output_folder is None else os.fspath(output_folder),
    )
    defaults = ScheduleAgentTaskOptions(
        queue=queue,
        timeout=timeout,
        schedule_to_start=schedule_to_start,
        start_to_close=start_to_close,
        schedule_to_close=schedule_to_close,
        idle=idle,
        retry=retry,
        max_retries=max_retries,
        grace=grace,
        labels=None if labels is None else dict(labels),
    )
    return _definition(kind, work, defaults, version=version, description=description or _described(work), tags=tags)


def container_images(
    kind: str = "container",
    *,
    allowed: Iterable[str],
    mount_roots: Iterable[str | os.PathLike[str]] = (),
    check: bool = True,
    streamed_per_second: int = STREAMED_PER_SECOND,
) -> TaskDefinition[Container, ContainerResult]:
    """Define a task whose input is the container: whoever may schedule it chooses what the worker runs.

    Args:
        kind: the name under which it is registered and scheduled.
        allowed: patterns of images, compared with the reference as it is written, part by part: ``alpine:*`` allows
            ``alpine:3``. As the last part, ``*`` stands for any number of parts: ``ghcr.io/team/*``. The networks are
            then ``none`` and ``bridge``. The pattern ``*`` alone allows every image and network.
        mount_roots: the folders in which the sources of mounts must lie, also where links lead.
        check: as for `container`.
        streamed_per_second: how many bytes of output are streamed, at most; what is more is counted and left out.

    Raises:
        InvalidInput: no pattern, or one that cannot be meant.
    """
    work = ContainerWork(
        container=_as_it_is,
        mount_roots=checked_roots(mount_roots),
        check=check,
        allowed=patterns_given(allowed, "image"),
        streamed_per_second=streamed_per_second,
    )
    return _definition(kind, work, ScheduleAgentTaskOptions(), description="Runs the container that it is given.")


def _definition(
    kind: str, work: ContainerWork, defaults: ScheduleAgentTaskOptions, **about: Any
) -> TaskDefinition[Any, ContainerResult]:
    made_by = None if isinstance(work.container, Container) else work.container
    return work_definition(
        kind, work, executor="container", made_by=made_by, result=ContainerResult, defaults=defaults, **about
    )


def _maker(command: Any, mounts: Any, said: Mapping[str, Any]) -> Callable[[Any], Container]:
    _made_of(None if callable(command) else command, (), said)  # what cannot be meant is refused now, not when it runs

    def made(task_input: Any) -> Container:
        return _made_of(
            command(task_input) if callable(command) else command,
            mounts(task_input) if callable(mounts) else mounts,
            said,
        )

    known: Any = made
    known.__wrapped__ = command if callable(command) else mounts
    return made


def _made_of(given: Any, mounts: Iterable[Mount], said: Mapping[str, Any]) -> Container:
    """A container of what was made, and of what the definition says wherever that says nothing."""
    if isinstance(given, Container):
        unsaid = {name: value for name, value in said.items() if getattr(given, name) == getattr(_SAYS_NOTHING, name)}
        everything = {**unsaid, "env": {**said["env"], **given.env}, "mounts": (*tuple(mounts), *given.mounts)}
        return msgspec.structs.replace(given, **everything)
    if isinstance(given, Command):
        if given.stdin is not None:
            raise InvalidInput("a container's command cannot be given an input. Leave stdin out, and mount a file.")
        env = {**said["env"], **given.env}
        said = {
            **said,
            "env": {name: value for name, value in env.items() if value is not None},
            "cwd": given.cwd if given.cwd is not None else said["cwd"],
        }
        given = given.command
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        given = [os.fspath(word) if isinstance(word, os.PathLike) else word for word in given]
    elif given is not None and not isinstance(given, str):
        raise InvalidInput(f"{given!r} is no command. Give a line, a list of words, a Command or a Container.")
    return Container(command=given, mounts=tuple(mounts), **said)


_SAYS_NOTHING: Final = Container(image="nothing")


def _as_it_is(task_input: Container) -> Container:
    return task_input


def _described(work: ContainerWork) -> str | None:
    return f"Runs a container of {work.container.image}" if isinstance(work.container, Container) else None
