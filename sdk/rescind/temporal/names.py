"""The names by which workflows, workers and clients know each other on a cluster. They are kept in histories."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

MEMO_KEY: Final = "rescind"
"""The memo of a workflow that says who started it, and with what labels."""
STATUS_KEY: Final = "rescind_status"
"""The memo that an agent's status stands in, as soon as it differs from what Temporal knows of its workflow."""
WORKFLOW_KEY: Final = "rescind_is_workflow"
"""The memo by which a worker shows that what was started by its kind alone is a workflow, and no agent."""

CANCEL_UPDATE: Final = "rescind.cancel"
CANCEL_TASK_UPDATE: Final = "rescind.cancel_task"
PROMISE_UPDATE: Final = "rescind.settle_promise"

ALIVE_SIGNAL: Final = "rescind.alive"
DELIVERED_SIGNAL: Final = "rescind.delivered"
OVERRUN_SIGNAL: Final = "rescind.overrun"
CHILD_CANCEL_SIGNAL: Final = "rescind.child_cancel"
"""A parent cancels its child's workflow, of which Temporal's own cancel was asked for before: it tells one only."""
CHILD_TOLD_SIGNAL: Final = "rescind.child_told"
"""A child's workflow tells its parent's what that cancel met, or how its agent has ended."""
OWN_SIGNALS: Final = frozenset({ALIVE_SIGNAL, DELIVERED_SIGNAL, OVERRUN_SIGNAL, CHILD_CANCEL_SIGNAL, CHILD_TOLD_SIGNAL})

DESCRIBE_QUERY: Final = "rescind.describe"
TASKS_QUERY: Final = "rescind.tasks"
ENTRIES_QUERY: Final = "rescind.entries"
CHECKPOINTS_QUERY: Final = "rescind.checkpoints"
CHILDREN_QUERY: Final = "rescind.children"
HISTORY_QUERY: Final = "rescind.history"
STREAMED_QUERY: Final = "rescind.streamed"
LOG_QUERY: Final = "rescind.workflow_events"
ANSWER_QUERY: Final = "rescind.answer"
STOP_QUERY: Final = "rescind.stop"

STEP_ACTIVITY: Final = "rescind.step"

REPORT_ERROR: Final = "rescind.Report"
"""The error type of an activity's failure that carries the report of its attempt, unless the code's error names one."""
WORKER_LEAVING: Final = "rescind.WorkerLeaving"
"""The error type of an activity whose worker ends before its attempt does."""
UNKNOWN_KIND: Final = "UnknownKind"

LABELS_ATTRIBUTE: Final = "RescindLabels"
"""The search attribute, a list of keywords ``name=value``, in which labels are looked for."""
LABELLED: Final = "rescind"
"""The keyword there that every execution has whose labels are in it, also if it has none."""

PAYLOAD_LIMIT: Final = 1_500_000
"""The largest payload in bytes, unless set otherwise: a cluster takes 2 MiB, and results grow on their way."""

FOR_EVER: Final = timedelta(days=3_650)
"""What Temporal is given as a limit where we have none: it demands one."""
