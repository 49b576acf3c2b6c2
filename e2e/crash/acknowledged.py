"""Rules about answers: what a client was told is in the histories, and what it was told agrees with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from e2e.crash.comparison import Comparison
from e2e.crash.evidence import Evidence
from e2e.crash.ledger import Call, Operation
from rescind.model.events import EXECUTION_ENDS, TASK_ENDS, EventType, HistoryEvent

ENDED: Final = "EXECUTION_ENDED"
"""What a signal is answered that came too late."""

_AGREES: Final[Mapping[str, EventType]] = {
    "CANCELLED": EventType.TASK_CANCELLED,
    "ALREADY_CANCELLED": EventType.TASK_CANCELLED,
    "ALREADY_COMPLETED": EventType.TASK_COMPLETED,
    "ALREADY_FAILED": EventType.TASK_FAILED,
}
"""How a task ended whose request to cancel was answered so."""
_AGREES_OF_EXECUTIONS: Final[Mapping[str, EventType]] = {
    "CANCELLED": EventType.EXECUTION_CANCELLED,
    "ALREADY_CANCELLED": EventType.EXECUTION_CANCELLED,
    "ALREADY_COMPLETED": EventType.EXECUTION_COMPLETED,
    "ALREADY_FAILED": EventType.EXECUTION_FAILED,
}


def starts(evidence: Evidence) -> Comparison:
    """Invariant 7: an execution whose start was answered is there, and was started once."""
    acknowledged = {call.execution_id for call in _acknowledged(evidence, Operation.START)}
    problems: list[str] = []
    for execution_id in sorted(acknowledged):
        types = [event.type for event in evidence.histories.get(execution_id, ())]
        if types.count(EventType.EXECUTION_STARTED) != 1 or types[0] is not EventType.EXECUTION_STARTED:
            problems.append(f"{execution_id}: its start was acknowledged, and its history begins with {types[:2]}")
    return Comparison("acknowledged starts found", len(acknowledged), problems)


def signals(evidence: Evidence) -> Comparison:
    """Invariant 7: each signal that was answered is in the history; none is there more often than it was sent."""
    asked: Counter[tuple[str, str]] = Counter()
    answered: Counter[tuple[str, str]] = Counter()
    problems: list[str] = []
    for call in evidence.calls:
        if call.operation is Operation.SIGNAL:
            asked[call.execution_id, call.subject] += 1
            if call.answer == ENDED:
                if not _ends(evidence, call.execution_id):
                    problems.append(f"{call.execution_id}: a signal was refused, since it has ended; and it has not")
            elif call.is_acknowledged:
                answered[call.execution_id, call.subject] += 1
    received: Counter[tuple[str, str]] = Counter(
        (execution_id, str((event.details or {}).get("name")))
        for execution_id, event in _events(evidence)
        if event.type is EventType.SIGNAL_RECEIVED
    )
    for key in sorted(asked.keys() | received.keys()):
        if not answered[key] <= received[key] <= asked[key]:
            problems.append(
                f"{key[0]}: signal {key[1]} was sent {asked[key]} times and acknowledged {answered[key]} times; its "
                f"history has it {received[key]} times"
            )
    return Comparison("acknowledged signals found", answered.total(), problems)


def cancels_of_executions(evidence: Evidence) -> Comparison:
    """Invariants 5 and 7, of executions: each answer agrees with the history, and CANCELLED is recorded."""
    calls = _acknowledged(evidence, Operation.CANCEL)
    problems: list[str] = []
    for call in calls:
        requests = _requests(evidence, call, EventType.EXECUTION_CANCEL_REQUESTED)
        problems += _disagreements(call, requests)
        ends = _ends(evidence, call.execution_id)
        if ends and _AGREES_OF_EXECUTIONS.get(str(call.answer)) is not ends[0].type:
            problems.append(f"{call.execution_id}: {call.reason} was answered {call.answer}, and it ended {ends[0]}")
    return Comparison("acknowledged cancels of executions agree", len(calls), problems)


def cancels_of_tasks(evidence: Evidence) -> Comparison:
    """Invariants 5 and 7, of tasks: each answer agrees with the history, and CANCELLED is recorded."""
    calls = _acknowledged(evidence, Operation.CANCEL_TASK)
    problems: list[str] = []
    for call in calls:
        requests = _requests(evidence, call, EventType.TASK_CANCEL_REQUESTED)
        problems += _disagreements(call, requests)
        if any(request.task_id != call.subject for request in requests):
            problems.append(f"{call.execution_id}: {call.reason} was for task {call.subject}, and another has it")
        ends = [
            event
            for event in evidence.histories.get(call.execution_id, ())
            if event.type in TASK_ENDS and event.task_id == call.subject
        ]
        if ends and _AGREES.get(str(call.answer)) is not ends[0].type:
            problems.append(f"{call.execution_id}: {call.reason} was answered {call.answer}, and the task: {ends[0]}")
    return Comparison("acknowledged cancels of tasks agree", len(calls), problems)


def cancels_of_many(evidence: Evidence) -> Comparison:
    """Section 8: the counts that were answered are those of the requests that are recorded."""
    calls = [call for call in evidence.calls if call.operation is Operation.CANCEL_WHERE]
    problems: list[str] = []
    compared = 0
    recorded: Counter[tuple[str, str]] = Counter()
    for _, event in _events(evidence):
        details = event.details or {}
        is_request = event.type in (EventType.TASK_CANCEL_REQUESTED, EventType.EXECUTION_CANCEL_REQUESTED)
        # What a cancelled execution passes on to its tasks has its words as well, and another source.
        if is_request and details.get("source") == "request" and "reason" in details:
            recorded[details["reason"], details["result"]] += 1
    for call in calls:
        told = call.counts.get("CANCELLED", 0)
        found = recorded[call.reason, "CANCELLED"]
        compared += told
        if found < told or (call.is_acknowledged and found != told):
            problems.append(f"{call.reason} was answered that it cancelled {told}; {found} are recorded")
    return Comparison("cancelled by requests to many, recorded", compared, problems)


def cancelled_is_answered_once(evidence: Evidence) -> Comparison:
    """Invariant 5: CANCELLED is answered to one request per task, and to one per execution."""
    answered: Counter[tuple[str, str]] = Counter()
    for call in evidence.calls:
        if call.operation in (Operation.CANCEL, Operation.CANCEL_TASK) and call.answer == "CANCELLED":
            answered[call.execution_id, call.subject] += 1
    recorded: Counter[tuple[str, str]] = Counter(
        (execution_id, event.task_id or "")
        for execution_id, event in _events(evidence)
        if event.type in (EventType.TASK_CANCEL_REQUESTED, EventType.EXECUTION_CANCEL_REQUESTED)
        and (event.details or {}).get("result") == "CANCELLED"
    )
    problems = [
        f"{execution_id}: CANCELLED was {how} {count} times of {task_id or 'the execution'}"
        for how, counts in (("answered", answered), ("recorded", recorded))
        for (execution_id, task_id), count in counts.items()
        if count > 1
    ]
    return Comparison("cancelled tasks and executions told to one request", len(answered | recorded), problems)


def _disagreements(call: Call, requests: list[HistoryEvent]) -> Iterator[str]:
    recorded = [str((event.details or {}).get("result")) for event in requests]
    if len(recorded) > 1:
        yield f"{call.execution_id}: {call.reason} was asked once, and is recorded {len(recorded)} times"
    # Every request is recorded, also one that comes behind the end of all; where there is nothing, there is no history.
    if not recorded and call.answer != "NOT_FOUND":
        yield f"{call.execution_id}: {call.reason} was answered {call.answer}, and is not recorded"
    # A request to let the work decide is answered later.
    if recorded and recorded[0] not in ("ASKED", call.answer):
        yield f"{call.execution_id}: {call.reason} was answered {call.answer}, and {recorded[0]} is recorded"


def _acknowledged(evidence: Evidence, operation: Operation) -> list[Call]:
    return [call for call in evidence.calls if call.operation is operation and call.is_acknowledged]


def _requests(evidence: Evidence, call: Call, event_type: EventType) -> list[HistoryEvent]:
    return [
        event
        for event in evidence.histories.get(call.execution_id, ())
        if event.type is event_type
        and (event.details or {}).get("reason") == call.reason
        and (event.details or {}).get("source") == "request"
    ]


def _ends(evidence: Evidence, execution_id: str) -> list[HistoryEvent]:
    return [event for event in evidence.histories.get(execution_id, ()) if event.type in EXECUTION_ENDS]


def _events(evidence: Evidence) -> Iterable[tuple[str, HistoryEvent]]:
    for execution_id, history in evidence.histories.items():
        for event in history:
            yield execution_id, event
