"""Executors: who runs a task's work, and how it is stopped for real.

Functions name theirs: ``@task("resize", executor="process")``. Programs are defined with `shell`,
containers with `container`.
"""

from __future__ import annotations

from rescind.authoring.container import container, container_images
from rescind.authoring.container_work import Container, ContainerResult, Mount
from rescind.authoring.shell import Command, CommandResult, shell, shell_commands
from rescind.authoring.task import ExecutorName

__all__ = [
    "Command",
    "CommandResult",
    "Container",
    "ContainerResult",
    "ExecutorName",
    "Mount",
    "container",
    "container_images",
    "shell",
    "shell_commands",
]
