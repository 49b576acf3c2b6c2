"""Spans that workers report: looked at, counted, and written into the server's log."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from rescind_proto.flovyn.v1 import flovyn_pb2 as wire

from rescind.errors import NotFound
from rescind_server.access.tokens import Role
from rescind_server.gateway.flovyn.values import is_uuid
from rescind_server.gateway.flovyn.workflow_requests import WorkflowRequests
from rescind_server.gateway.identity import Caller

_LOG: Final = logging.getLogger(__name__)
_STANDALONE: Final = "standalone"
_TYPES: Final = ("workflow.", "task.", "agent.")
_LONGEST_ERROR: Final = 1_024


class Spans:
    """Takes in spans. A bad one is no error: it is counted as refused."""

    def __init__(self, requests: WorkflowRequests) -> None:
        self._requests = requests

    async def take_in(self, caller: Caller, sender: wire.SdkInfo, spans: Iterable[wire.ExecutionSpan]) -> int:
        """Look at spans; returns how many were accepted.

        Args:
            caller: who reports them.
            sender: the SDK that made them.
            spans: of workflows and tasks of the caller's organisation.
        """
        caller.require(Role.WORKER, Role.OPERATOR)
        known: dict[str, bool] = {}
        accepted = 0
        for span in spans:
            if not _is_whole(span):
                continue
            if span.workflow_id not in known:
                known[span.workflow_id] = await self._is_own(caller, span.workflow_id)
            if known[span.workflow_id]:
                accepted += 1
                _log(sender, span)
        return accepted

    async def _is_own(self, caller: Caller, workflow_id: str) -> bool:
        if workflow_id == _STANDALONE:
            return True
        try:
            await self._requests.details(caller, workflow_id)
        except NotFound:
            return False
        return True


def _is_whole(span: wire.ExecutionSpan) -> bool:
    return (
        bool(span.span_id)
        and span.span_type.startswith(_TYPES)
        and span.end_time_unix_ns >= span.start_time_unix_ns > 0
        and (span.workflow_id == _STANDALONE or is_uuid(span.workflow_id))
        and (not span.task_id or is_uuid(span.task_id))
    )


def _log(sender: wire.SdkInfo, span: wire.ExecutionSpan) -> None:
    if _LOG.isEnabledFor(logging.DEBUG):
        _LOG.debug(
            "span %s %s of %s by %s %s: %d ns%s",
            span.span_type,
            span.span_id,
            span.task_id or span.workflow_id,
            sender.language,
            sender.sdk_version,
            span.end_time_unix_ns - span.start_time_unix_ns,
            f", failed: {span.error_message[:_LONGEST_ERROR]}" if span.is_error else "",
        )
