"""What cancels of many look like in JSON. The document is made of these types."""

from __future__ import annotations

from rescind_server.gateway.http.answers import AnswerBody, Moment


class ReachBody(AnswerBody, frozen=True):
    """What a cancel of many would reach, each counted once.

    `executions` are those selected, 0 where tasks are; `descendants` those below them that would be cancelled with
    them, at whatever level; `tasks` the open tasks of all these, or those selected; `attempts` how many attempts of
    tasks would be told to stop.
    """

    executions: int
    descendants: int
    tasks: int
    attempts: int


class CancelCounts(AnswerBody, frozen=True, omit_defaults=True):
    """How many were selected, and how many met which result. Of a dry run there are no counts; `hits` is what it found.

    A dry run counts what was there at the time `as_of`: who gives that as `created_before`, or of tasks as
    `scheduled_before`, hits nothing that came later.
    """

    selected: int
    counts: dict[str, int]
    dry_run: bool
    as_of: Moment | None = None
    hits: ReachBody | None = None
