"""`rescind worker --allow-image`: callers choose no container unless a worker says which."""

from __future__ import annotations

from sdk.tests.cli.programs import Programs, refused


def test_folders_to_mount_are_refused_where_callers_choose_no_container(programs: Programs) -> None:
    said = refused(programs.run("worker", "--allow-shell", "*", "--mount-root", "/"), 2)
    assert "--mount-root is for containers that callers choose. Give --allow-image, too." in said


def test_a_folder_to_mount_must_be_there(programs: Programs) -> None:
    done = programs.run("worker", "--allow-image", "*", "--mount-root", "no-such-folder")
    assert done.returncode == 2
    assert "no-such-folder" in done.stderr
