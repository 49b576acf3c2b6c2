"""Temporal's SDK is loaded by those who ask for it alone; and its sandbox lets Rescind through."""

from __future__ import annotations

import subprocess
import sys

import pytest
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from rescind import temporal
from rescind.temporal import PASSED_THROUGH


def run(program: str) -> str:
    """What a program of its own prints."""
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()


def test_rescind_and_its_temporal_room_load_without_temporals_sdk() -> None:
    program = "import sys, rescind, rescind.temporal; print('temporalio' in sys.modules)"
    assert run(program) == "False"


def test_without_the_extra_the_way_to_get_it_is_told() -> None:
    program = """
import sys
sys.modules["temporalio"] = None
import rescind.temporal
try:
    rescind.temporal.TemporalWorker
except ImportError as error:
    print(error)
"""
    assert run(program).endswith("pip install 'rescind[temporal]'")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'TemporalServer'"):
        _ = temporal.TemporalServer


def test_the_sandbox_takes_the_modules_that_are_to_be_passed_through() -> None:
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    assert set(PASSED_THROUGH) <= restrictions.passthrough_modules
    assert SandboxedWorkflowRunner(restrictions=restrictions)
