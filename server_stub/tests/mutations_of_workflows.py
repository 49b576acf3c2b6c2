"""Faults of workflows, and of children, that the tests must notice."""

from __future__ import annotations

from typing import Final

from .mutations import Mutation

MUTATIONS_OF_WORKFLOWS: Final = (
    Mutation(
        "a child that is spawned is not written down",
        "engine/children.py",
        "    state.decision.children[child.child_id] = child\n    if child.goes_with_parent:",
        "    if child.goes_with_parent:",
    ),
    Mutation(
        "the end of a child is not told to its parent",
        "engine/execution_endings.py",
        "    record(state, execution, _ENDS[status], **details)\n    _tell_parent(state, execution)\n",
        "    record(state, execution, _ENDS[status], **details)\n",
    ),
    Mutation(
        "a tree of agents is cancelled from its top",
        "engine/execution_endings.py",
        "    for level in reversed(levels):",
        "    for level in levels:",
    ),
    Mutation(
        "the end of a child is not told to the log of the workflow that waits for it",
        "engine/workflow_endings.py",
        "    tell_parent(state, execution)\n\n\ndef end_cancelled",
        "\n\ndef end_cancelled",
    ),
    Mutation(
        "a tree of workflows is cancelled from its top",
        "engine/workflow_endings.py",
        "list(reversed(list(_subtree(state, root))))",
        "list(_subtree(state, root))",
    ),
    Mutation(
        "a timer of a workflow fires though it was cancelled",
        "engine/workflow_rules.py",
        "        state.deadlines.cancel(timer.deadline)\n    append(state, execution, TimerCancelled",
        "        pass\n    append(state, execution, TimerCancelled",
    ),
    Mutation(
        "a pass is taken in under a claim that is over",
        "engine/workflow_checks.py",
        "    if claim is not None and claim != execution.run:",
        "    if False:",
    ),
    Mutation(
        "a pass that was sent twice is recorded twice",
        "engine/workflow_submissions.py",
        "    if repeated is not None:\n        return repeated\n",
        "",
    ),
    Mutation(
        "a workflow waits for what was told while its pass was made",
        "engine/workflow_submissions.py",
        "    if has_news or workflow.has_news:",
        "    if workflow.has_news:",
    ),
    Mutation(
        "the key of a promise is taken for its workflow's",
        "engine/workflow_starts.py",
        "        if owner is not None and not owner.is_workflow:\n            return",
        "        if False:\n            return",
    ),
    Mutation(
        "a stranger's signal reaches the workflow that has the key",
        "engine/workflow_starts.py",
        "    elif command.only_own and execution.created_by != command.start.by:",
        "    elif False:",
    ),
    Mutation(
        "a workflow takes the id of another's task",
        "engine/workflow_checks.py",
        " or task_id in self._state.named_tasks",
        "",
    ),
    Mutation(
        "what an agent was not told comes back in another order",
        "engine/child_waits.py",
        "    for resolution in reversed(parent.inbox):",
        "    for resolution in parent.inbox:",
    ),
    Mutation(
        "a pass that was lost in a restart is waited for as long as its worker lives",
        "engine/workflow_restoring.py",
        "        claim_ends.limit(state, execution, claim_ends.PASS_RESTART_GRACE_MS)",
        "        pass",
    ),
    Mutation(
        "an attempt that was lost in a restart is waited for as long as its worker lives",
        "engine/restoring.py",
        "        claim_ends.limit_attempt(state, attempt)",
        "        pass",
    ),
    Mutation(
        "a claim goes on under the limit of the one before it",
        "engine/workflow_claims.py",
        "    claim_ends.drop(state, execution)\n",
        "",
    ),
)
