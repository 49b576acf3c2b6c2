"""From a seed to a run: which executions, what their client does to them, and which faults come at which points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from random import Random
from typing import Any, Final

import msgspec

from e2e.crash.stories import AGENTS

LEASE_MS: Final = 400
SILENCE_MS: Final = 600
WORKERS: Final = 2
EXECUTIONS: Final = 16
HERD: Final = {"herd": "one"}
"""The label of executions that are cancelled together."""


class FaultKind(StrEnum):
    """What goes wrong."""

    KILL_SERVER = "KILL_SERVER"
    KILL_WORKER = "KILL_WORKER"
    KILL_BOTH = "KILL_BOTH"
    FREEZE_WORKER = "FREEZE_WORKER"
    FREEZE_SERVER = "FREEZE_SERVER"
    CUT = "CUT"
    HALF_CLOSE = "HALF_CLOSE"
    DELAY = "DELAY"
    LOSE_ANSWERS = "LOSE_ANSWERS"
    CUT_WITHIN = "CUT_WITHIN"


class Fault(msgspec.Struct, frozen=True):
    """One fault.

    Attributes:
        kind: what goes wrong.
        after: when so much progress has been seen: events of histories, and answers.
        pause_ms: and then so much later.
        target: which worker, from 1; of a connection 0 is the client's.
        lasting_ms: how long it lasts; of a kill, until the process is started anew.
        count: how many bytes may still pass, for CUT_WITHIN.
    """

    kind: FaultKind
    after: int
    pause_ms: int
    target: int
    lasting_ms: int
    count: int = 0


class ActionKind(StrEnum):
    """What a client does to an execution."""

    SIGNAL = "SIGNAL"
    CANCEL = "CANCEL"
    CANCEL_HARD = "CANCEL_HARD"
    CANCEL_TASK = "CANCEL_TASK"
    CANCEL_TASK_WAIT = "CANCEL_TASK_WAIT"
    CANCEL_TASKS_WHERE = "CANCEL_TASKS_WHERE"
    CANCEL_HERD = "CANCEL_HERD"


class Action(msgspec.Struct, frozen=True):
    """One thing that the client does.

    Attributes:
        kind: what.
        after: when so many events of that execution have been seen, or it has ended.
        subject: the signal's name, or the task's place.
        value: the signal's value.
        pause_ms: so much later than `after` says.
    """

    kind: ActionKind
    after: int
    subject: str = ""
    value: int = 0
    pause_ms: int = 0


class Planned(msgspec.Struct, frozen=True):
    """One execution.

    Attributes:
        execution_id: its id.
        kind: the agent.
        given: its input.
        actions: what the client does, in this order.
        labels: its labels.
    """

    execution_id: str
    kind: str
    given: dict[str, Any]
    actions: tuple[Action, ...] = ()
    labels: dict[str, str] = {}

    @property
    def may_be_cancelled(self) -> bool:
        """Whether the client cancels it."""
        of_its_own = any(each.kind in (ActionKind.CANCEL, ActionKind.CANCEL_HARD) for each in self.actions)
        return of_its_own or self.labels == HERD


class Plan(msgspec.Struct, frozen=True):
    """A whole run.

    Attributes:
        seed: what it was derived from.
        slots: how many attempts each worker runs at once.
        agent_slots: how many agents each worker keeps in memory.
        executions: what is started, all at once.
        faults: what goes wrong, in this order.
    """

    seed: int
    slots: int
    agent_slots: int
    executions: tuple[Planned, ...]
    faults: tuple[Fault, ...]


def plan_of(seed: int) -> Plan:
    """The run of a seed; always the same."""
    chance = Random(f"crash {seed}")
    kinds = [definition.kind for definition in AGENTS]
    chosen = [*kinds, *chance.choices(kinds, k=EXECUTIONS - len(kinds))]
    chance.shuffle(chosen)
    executions = tuple(_planned(chance, f"{number:02}-{kind}", kind) for number, kind in enumerate(chosen, start=1))
    slots, agent_slots = chance.choice((4, 6, 50)), chance.choice((2, 4, 100))
    return Plan(seed, slots, agent_slots, executions, _faults(chance))


def _planned(chance: Random, execution_id: str, kind: str) -> Planned:
    given, actions = _GIVEN[kind](chance)
    labels: dict[str, str] = {}
    if kind == "cleaning":
        actions = [Action(ActionKind.CANCEL, chance.randint(1, 5), pause_ms=_sleep(chance))]
    elif chance.random() < 0.15:
        hard = chance.random() < 0.4
        actions = [*actions, Action(ActionKind.CANCEL_HARD if hard else ActionKind.CANCEL, chance.randint(1, 20))]
    elif chance.random() < 0.15:
        labels = HERD
        actions = [*actions, Action(ActionKind.CANCEL_HERD, chance.randint(1, 20))]
    if kind != "cleaning" and any(each.kind is ActionKind.CANCEL for each in actions) and chance.random() < 0.5:
        actions = [*actions, Action(ActionKind.CANCEL, 1)]  # once more: it must be told that it is cancelled already
    return Planned(execution_id, kind, given, tuple(actions), labels)


_Made = tuple[dict[str, Any], Sequence[Action]]


def _sleep(chance: Random) -> int:
    return chance.choice((0, 5, 20, 60, 150, 300))


def _work(chance: Random) -> dict[str, int]:
    made = {"value": chance.randint(1, 1_000), "sleep_ms": _sleep(chance)}
    if chance.random() < 0.2:
        made["failures"] = chance.randint(1, 2)
    return made


def _works(chance: Random, least: int, most: int) -> list[dict[str, int]]:
    return [_work(chance) for _ in range(chance.randint(least, most))]


def _of_a_chain(chance: Random) -> _Made:
    sleeps = [_sleep(chance) for _ in range(chance.randint(3, 8))]
    return {"start": chance.randint(1, 1_000), "sleeps": sleeps}, ()


def _of_a_fan_out(chance: Random) -> _Made:
    return {"works": _works(chance, 3, 14)}, ()


def _of_a_race(chance: Random) -> _Made:
    return {"works": [*_works(chance, 2, 4), {"value": chance.randint(1, 1_000), "sleep_ms": 60_000}]}, ()


def _of_a_deadline(chance: Random) -> _Made:
    return {"works": _works(chance, 1, 5), "stuck": chance.randint(1, 3), "timeout_ms": chance.randint(100, 600)}, ()


def _of_a_scope(chance: Random) -> _Made:
    return {"work": _work(chance), "stuck": chance.randint(1, 3), "sleep_ms": _sleep(chance)}, ()


def _of_a_replacement(chance: Random) -> _Made:
    return {"work": _work(chance), "stagger_ms": chance.choice((5, 50, 200))}, ()


def _of_signals(chance: Random) -> _Made:
    count = chance.randint(2, 5)
    sent = [
        Action(ActionKind.SIGNAL, chance.randint(1, 4), f"item-{number}", chance.randint(1, 10**6), _sleep(chance))
        for number in range(count)
    ]
    return {"count": count, "values": sorted(each.value for each in sent)}, sent


def _of_steps(chance: Random) -> _Made:
    return {"count": chance.randint(2, 5), "sleep_ms": _sleep(chance)}, ()


def _of_settled(chance: Random) -> _Made:
    works = _works(chance, 3, 7)
    works[0] = {"value": chance.randint(1, 1_000), "sleep_ms": 60_000}
    kinds = (ActionKind.CANCEL_TASK, ActionKind.CANCEL_TASK, ActionKind.CANCEL_TASK_WAIT)
    actions = [
        Action(chance.choice(kinds), chance.randint(3, 6), str(chance.randrange(len(works))), pause_ms=_sleep(chance))
        for _ in range(chance.randint(1, 4))
    ]
    # The first one ends by a cancel alone.
    last = chance.choice((ActionKind.CANCEL_TASKS_WHERE, ActionKind.CANCEL_TASK))
    return {"works": works}, [*actions, Action(last, 3, "0")]


def _of_branches(chance: Random) -> _Made:
    return {"works": _works(chance, 2, 4), "patience_ms": chance.choice((20, 100, 300))}, ()


def _of_bulk(chance: Random) -> _Made:
    longest = chance.choice((1_000, 60_000, 400_000))
    text = "x" * chance.randint(1, longest)
    return {"text": text, "counts": [chance.randint(len(text), longest) for _ in range(chance.randint(1, 3))]}, ()


def _of_cleaning(chance: Random) -> _Made:
    return {"work": _work(chance)}, ()


_GIVEN: Final[Mapping[str, Callable[[Random], _Made]]] = {
    "chain": _of_a_chain,
    "checkpointed": _of_a_chain,
    "fan-out": _of_a_fan_out,
    "race": _of_a_race,
    "deadline": _of_a_deadline,
    "scoped": _of_a_scope,
    "replacing": _of_a_replacement,
    "signals": _of_signals,
    "steps": _of_steps,
    "settled": _of_settled,
    "branches": _of_branches,
    "bulky": _of_bulk,
    "cleaning": _of_cleaning,
}
_WEIGHTS: Final[Mapping[FaultKind, int]] = {
    FaultKind.KILL_SERVER: 4,
    FaultKind.KILL_WORKER: 4,
    FaultKind.KILL_BOTH: 2,
    FaultKind.FREEZE_WORKER: 3,
    FaultKind.FREEZE_SERVER: 1,
    FaultKind.CUT: 2,
    FaultKind.HALF_CLOSE: 1,
    FaultKind.DELAY: 1,
    FaultKind.LOSE_ANSWERS: 3,
    FaultKind.CUT_WITHIN: 2,
}
_OF_CONNECTIONS: Final = frozenset(
    {FaultKind.CUT, FaultKind.HALF_CLOSE, FaultKind.DELAY, FaultKind.LOSE_ANSWERS, FaultKind.CUT_WITHIN}
)


def _faults(chance: Random) -> tuple[Fault, ...]:
    kinds = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=chance.randint(2, 6))
    points = sorted(chance.randint(1, 280) for _ in kinds)
    return tuple(_fault(chance, kind, after) for kind, after in zip(kinds, points, strict=True))


def _fault(chance: Random, kind: FaultKind, after: int) -> Fault:
    target = chance.randint(0 if kind in _OF_CONNECTIONS else 1, WORKERS)
    if kind in (FaultKind.FREEZE_WORKER, FaultKind.FREEZE_SERVER):
        # Shorter and longer than its silence may be, and longer than silence and lease together.
        lasting = chance.choice((SILENCE_MS // 2, SILENCE_MS + 100, SILENCE_MS + LEASE_MS + 300))
    else:
        lasting = chance.choice((0, 20, 100, 300, LEASE_MS + 200))
    return Fault(
        kind, after, chance.choice((0, 0, 1, 3, 10, 30)), target, lasting, chance.choice((1, 300, 4_000, 200_000))
    )
