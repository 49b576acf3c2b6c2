"""Containers as definitions: what can be meant, what an input may choose, and what the definition fills in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from rescind import InvalidInput
from rescind.authoring.container_work import ContainerWork
from rescind.executors import Command, Container, Mount, container, container_images


def work_of(definition: Any) -> ContainerWork:
    work = definition.work
    assert isinstance(work, ContainerWork)
    return work


def test_a_list_is_for_the_entrypoint_and_a_line_for_the_shell() -> None:
    listed = work_of(container("plain", "alpine:3", ["uname", "-r"])).container_for(None)
    line = work_of(container("line", "alpine:3", "uname -r")).container_for(None)
    assert (listed.entrypoint(), listed.arguments()) == (None, ["uname", "-r"])
    assert (line.entrypoint(), line.arguments()) == (["/bin/sh", "-c"], ["uname -r"])


def test_without_a_command_the_image_decides() -> None:
    made = work_of(container("plain", "alpine:3")).container_for(None)
    assert (made.entrypoint(), made.arguments()) == (None, None)


def test_a_made_command_is_completed_by_the_definition() -> None:
    def command(name: str) -> Command:
        return Command(command=["greet", name], env={"B": "2", "A": None})

    definition = container("greet", "alpine:3", command, env={"A": "1"}, cwd="/work", cpus=2)
    assert definition.input_type is str
    assert work_of(definition).container_for("you") == Container(
        image="alpine:3", command=["greet", "you"], env={"B": "2"}, cwd="/work", cpus=2
    )


def test_a_made_container_is_followed_where_it_says_something_else() -> None:
    def made(version: int) -> Container:
        return Container(image=f"alpine:{version}", env={"A": "of the input"}, cpus=1)

    definition = container("greet", "alpine:3", made, env={"A": "1", "B": "2"}, cpus=2, user="guest")
    assert work_of(definition).container_for(4) == Container(
        image="alpine:4", env={"A": "of the input", "B": "2"}, cpus=1, user="guest"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"cpus": 0},
        {"cpus": float("nan")},
        {"memory": -1},
        {"memory": 1024},
        {"memory": "1g"},
        {"mounts": [("a", "b")]},
        {"mounts": [Mount("/a", "/c"), Mount("/b", "/c")]},
        {"mount_roots": "/srv"},
        {"mount_roots": ["srv"]},
        {"pull": "sometimes"},
        {"env": {"A=": "1"}},
        {"user": "\0"},
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        container("odd", "alpine:3", ["true"], **options)


@pytest.mark.parametrize("image", ["", "--privileged", "alpine 3", "alpine\n"])
def test_what_is_no_reference_is_refused(image: str) -> None:
    with pytest.raises(InvalidInput, match="the image is"):
        container("odd", image)


@pytest.mark.parametrize("command", [[], [""], "", 3, b"true"])
def test_what_is_no_command_is_refused(command: Any) -> None:
    with pytest.raises(InvalidInput):
        container("odd", "alpine:3", command)


def test_a_mount_has_absolute_paths() -> None:
    with pytest.raises(InvalidInput, match="absolute"):
        Mount("here", "/there")


def test_a_mount_in_a_root_is_that_of_what_its_links_lead_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    work = work_of(container_images(allowed=["*"], mount_roots=[tmp_path]))
    given = Container(image="alpine:3", mounts=(Mount(os.fspath(tmp_path / "link"), "/seen"),))
    assert work.container_for(given).mounts == (Mount(os.fspath(tmp_path / "real"), "/seen"),)


def test_mounts_of_the_definition_are_held_to_its_roots_too(tmp_path: Path) -> None:
    definition = container("odd", "alpine:3", mounts=[Mount("/etc", "/etc")], mount_roots=[tmp_path])
    with pytest.raises(InvalidInput, match="does not allow the mount of '/etc'"):
        work_of(definition).container_for(None)


def test_the_pattern_for_everything_allows_every_image_and_network() -> None:
    given = Container(image="alpine:3", network="host")
    assert work_of(container_images(allowed=["*"])).container_for(given) == given


@pytest.mark.parametrize("allowed", [[], "alpine:*"])
def test_what_is_allowed_is_a_list_with_something_in_it(allowed: Any) -> None:
    with pytest.raises(InvalidInput):
        container_images(allowed=allowed)


def test_an_input_that_is_no_container_is_refused() -> None:
    given: Any = {"command": ["true"]}
    with pytest.raises(InvalidInput):
        container_images(allowed=["*"]).encode_input(given)


@pytest.mark.parametrize(
    ("pattern", "image"),
    [
        ("alpine:*", "alpine:3"),
        ("alpine:*", "alpine:3@sha256:" + "0" * 64),
        ("alpine@sha256:*", "alpine@sha256:" + "0" * 64),
        ("ghcr.io/team/*", "ghcr.io/team/tool:1"),
        ("ghcr.io/team/*", "ghcr.io/team/tools/one:1"),
        ("*", "anybody.example:5000/anything"),
    ],
)
def test_an_image_that_a_pattern_allows_may_be_chosen(pattern: str, image: str) -> None:
    assert work_of(container_images(allowed=[pattern])).container_for(Container(image=image)).image == image


@pytest.mark.parametrize(
    ("pattern", "image"),
    [
        ("alpine:*", "alpine"),
        ("alpine:*", "alpine@sha256:" + "0" * 64),
        ("alpine:*", "library/alpine:3"),
        ("alpine:*", "evil.example/alpine:3"),
        ("alpine:*", "evil.example:5000/alpine:3"),
        ("alpine:*", "alpine:5000/evil:3"),  # a registry on a machine that is called alpine
        ("alpine:*", "alpine:3/../evil"),
        ("alpine:3", "alpine:3.1"),
        ("alpine:3", "ALPINE:3"),
        ("ghcr.io/team/*", "ghcr.io/team"),
        ("ghcr.io/team/*", "ghcr.io/team-evil/tool"),
        ("ghcr.io/*/tool", "ghcr.io/team/evil/tool"),
    ],
)
def test_a_pattern_of_images_cannot_be_got_around(pattern: str, image: str) -> None:
    with pytest.raises(InvalidInput, match="this worker does not allow the image"):
        work_of(container_images(allowed=[pattern])).container_for(Container(image=image))


@pytest.mark.parametrize("image", ["alpine:3 evil", "alpine:3\nevil", "$(evil)", "alpine;evil", "-v", "../evil", ""])
def test_what_is_no_reference_is_no_image(image: str) -> None:
    with pytest.raises(InvalidInput, match="Give a reference"):
        Container(image=image)
