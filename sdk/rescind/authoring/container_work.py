"""Containers as values: what is to be run, what came of it, and the rules by which an input may choose it."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from rescind.authoring.shell import EVERYTHING, SHELL, STREAMED_PER_SECOND, CommandResult
from rescind.errors import InvalidInput

Pull = Literal["missing", "never", "always"]
"""When an image is fetched: if the engine does not have it, never, or before each attempt."""

LEAST_MEMORY: Final = 6 * 1024 * 1024
"""The smallest limit of memory that engines take, in bytes."""

_PULLS: Final = ("missing", "never", "always")
_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@\[\]-]*")
NO_NETWORK: Final = "none"
_NETWORKS_OF_INPUTS: Final = (NO_NETWORK, "bridge")


class Mount(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file or folder of the machine, shown in a container.

    Attributes:
        source: its path on the machine, where it must exist.
        target: the path under which the container finds it.
        writable: whether the container may change it.
    """

    source: str
    target: str
    writable: bool = False

    def __post_init__(self) -> None:
        for name in ("source", "target"):
            path = getattr(self, name)
            if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
                raise InvalidInput(f"a mount's {name} is {path!r}. Give an absolute path.")


class Container(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A container to be run.

    Attributes:
        image: its image, as ``alpine:3`` or ``ghcr.io/team/resize@sha256:…``.
        command: a list is handed to the image's entrypoint, or run if it has none; a text is a line for the image's
            ``/bin/sh``; None leaves it to the image.
        env: its variables. It gets none of the worker's.
        mounts: what it sees of the machine.
        cwd: the working folder in it; else the image's.
        user: who runs the command, as ``1000:1000``; else who the image says.
        cpus: how many processors it may keep busy, as 0.5; else all.
        memory: how many bytes of memory it may use, swap included; else no limit.
        network: ``none``, ``bridge``, ``host``, or a network's name.
        pull: when its image is fetched: ``missing``, ``never`` or ``always``.
        init: whether a small init runs as its first process, which hands signals on and reaps. Without it, a command
            hears SIGTERM only if it asks for it.
    """

    image: str
    command: str | Annotated[list[str], msgspec.Meta(min_length=1)] | None = None
    env: dict[str, str] = {}
    mounts: tuple[Mount, ...] = ()
    cwd: str | None = None
    user: str | None = None
    cpus: float | None = None
    memory: int | None = None
    network: str = NO_NETWORK
    pull: Pull = "missing"
    init: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.image, str) or not _IMAGE.fullmatch(self.image):
            raise InvalidInput(f"the image is {self.image!r}. Give a reference, such as 'alpine:3'.")
        self._check_texts()
        if self.cpus is not None and not (_is_number(self.cpus, int | float) and self.cpus > 0):
            raise InvalidInput(f"cpus is {self.cpus!r}. Give a number above 0, or leave it out.")
        if self.memory is not None and not (_is_number(self.memory, int) and self.memory >= LEAST_MEMORY):
            raise InvalidInput(f"memory is {self.memory!r}. Give a number of bytes, at least {LEAST_MEMORY:,}.")
        if self.pull not in _PULLS:
            raise InvalidInput(f"pull is {self.pull!r}. Give one of {', '.join(map(repr, _PULLS))}.")
        if not all(isinstance(mount, Mount) for mount in self.mounts):
            raise InvalidInput(f"mounts is {self.mounts!r}. Give a list of Mounts.")
        targets = [mount.target for mount in self.mounts]
        if len(set(targets)) < len(targets):
            raise InvalidInput(f"two mounts have one target among {', '.join(targets)}. Give each its own.")

    def _check_texts(self) -> None:
        if self.command is not None and (not self.command or not self.command[0]):
            raise InvalidInput(f"the command is {self.command!r}. Give a line, or a list that begins with a program.")
        words = [self.command] if self.command is None or isinstance(self.command, str) else list(self.command)
        for text in (*words, *self.env, *self.env.values(), self.cwd, self.user, self.network):
            if text is not None and (not isinstance(text, str) or "\0" in text):
                raise InvalidInput(f"{text!r} in a container is no text that it can be given.")
        for name in self.env:
            if not name or "=" in name:
                raise InvalidInput(f"env has the variable {name!r}. Give a name that is not empty, without '='.")

    def entrypoint(self) -> list[str] | None:
        """What is run instead of the image's entrypoint; None leaves it to the image."""
        return [SHELL, "-c"] if isinstance(self.command, str) else None

    def arguments(self) -> list[str] | None:
        """What the entrypoint is given; None leaves it to the image."""
        return [self.command] if isinstance(self.command, str) else self.command


class ContainerResult(CommandResult, frozen=True, kw_only=True, omit_defaults=True):
    """How a container ended.

    Engines tell signals as exit codes above 128, and so an exit with such a code is taken for a signal.

    Attributes:
        oom_killed: whether something in it was killed because its memory was used up.
    """

    oom_killed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerWork:
    """What a worker carries out for a container task.

    Attributes:
        container: the container; or a function from the task's input to it.
        mount_roots: the folders in which the sources of mounts must lie, also where links lead; None checks nothing.
        check: whether an exit code other than 0 is a failure.
        allowed: patterns of the images that an input may name; None if the input does not choose.
        output_folder: where whole outputs are kept, after the attempt too.
        streamed_per_second: how many bytes of output are streamed, at most; more for a moment.
    """

    container: Container | Callable[[Any], Container]
    mount_roots: tuple[str, ...] | None = None
    check: bool = True
    allowed: tuple[str, ...] | None = None
    output_folder: str | None = None
    streamed_per_second: int = STREAMED_PER_SECOND

    def container_for(self, task_input: Any) -> Container:
        """The container of one attempt. Its mounts name what their links lead to.

        Raises:
            InvalidInput: the input may not be the container, none was made of it, or a mount lies outside of the roots.
        """
        made = self.container if isinstance(self.container, Container) else self.container(task_input)
        if self.allowed is not None:
            _check_allowed(made, self.allowed)
        if self.mount_roots is None or not made.mounts:
            return made
        mounts = tuple(_within(mount, self.mount_roots) for mount in made.mounts)
        return msgspec.structs.replace(made, mounts=mounts)


def checked_roots(given: Iterable[str | os.PathLike[str]] | None) -> tuple[str, ...]:
    """Folders in which mounts may lie. Raises InvalidInput unless each is an absolute path."""
    if isinstance(given, str):
        raise InvalidInput(f"mount_roots is the string {given!r}. Give a list of folders.")
    roots = tuple(os.fspath(root) for root in given or ())
    for root in roots:
        if not root.startswith("/"):
            raise InvalidInput(f"mount_roots has {root!r}. Give absolute paths.")
    return roots


# --- what an input may be --------------------------------------------------------------------------------------------


def _check_allowed(made: Container, patterns: tuple[str, ...]) -> None:
    if EVERYTHING in patterns:
        return
    if not any(_matches(made.image.split("/"), pattern.split("/")) for pattern in patterns):
        raise InvalidInput(
            f"this worker does not allow the image {made.image!r}. It allows {', '.join(map(repr, patterns))}."
        )
    if made.network not in _NETWORKS_OF_INPUTS:
        raise InvalidInput(f"this worker does not allow the network {made.network!r}. It allows 'none' and 'bridge'.")


def _matches(parts: list[str], pattern: list[str]) -> bool:
    """Part by part: the registry ``alpine:5000`` is no version of the image ``alpine``."""
    if pattern[-1] == EVERYTHING and len(parts) > len(pattern):
        parts = parts[: len(pattern)]
    return len(parts) == len(pattern) and all(map(fnmatch.fnmatchcase, parts, pattern))


def _within(mount: Mount, roots: Iterable[str]) -> Mount:
    """The mount of what its links lead to, so that nobody can lead it elsewhere between this check and its use."""
    real = Path(mount.source).resolve()
    if not any(real.is_relative_to(Path(root).resolve()) for root in roots):
        allowed = f"It allows what lies in {', '.join(roots)}." if roots else "It allows none."
        raise InvalidInput(f"this worker does not allow the mount of {mount.source!r}. {allowed}")
    return msgspec.structs.replace(mount, source=str(real))


def _is_number(value: object, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
