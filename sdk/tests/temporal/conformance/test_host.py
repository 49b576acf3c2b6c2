"""The workflow's host takes the very course of the embedded engine, under hundreds of generated agents."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings

from .courses import course_of
from .embedded import play
from .inputs import are_apart
from .programs import Program, programs
from .virtual_host import host_play


@settings(max_examples=500, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_the_host_of_a_workflow_takes_the_course_of_the_embedded_engine(program: Program) -> None:
    played = play(program)
    assume(are_apart(played.inputs, 1))
    assert course_of(*host_play(program)) == played.course
