"""Mend the call: it cannot be carried out as it stands."""

from __future__ import annotations

from rescind.errors.base import RescindError


class RequestError(RescindError):
    """The call cannot be carried out as it stands."""


class InvalidInput(RequestError, ValueError):
    """A value that cannot be meant: wrong type, negative time, empty selection, not JSON."""


class PayloadTooLarge(InvalidInput):
    """An input, output, state or signal is larger than the limit (4 MiB unless set otherwise)."""


class NotSupported(InvalidInput):
    """The backend that was asked cannot do this, or cannot know it: a Temporal cluster, where a server can."""


class NotFound(RequestError, LookupError):
    """No such execution or task for this caller."""


class UnknownKind(RequestError):
    """No agent or task of this kind is registered where it is needed."""


class DuplicateKind(RequestError):
    """Two agents, or two tasks, were registered under one kind."""


class AlreadyExists(RequestError):
    """An execution with this id or idempotency key exists and was started with another request."""


class ExecutionEnded(RequestError):
    """The execution has ended, so it can take no more signals or work."""


class NotClaimed(RequestError):
    """The workflow is not claimed by who reports a pass over it: drop the pass. Another is made, or was."""


class LimitReached(RequestError):
    """One more than is taken: of signals to one workflow, 10,000."""


class NotPermitted(RequestError):
    """The caller may not do this. Says nothing about whether the id exists."""


class NotAuthenticated(NotPermitted):
    """The server asks for a token, and none came with the call, or one that is unknown, expired or revoked."""


class ForeignFuture(RequestError):
    """A future that another agent scheduled was given to this agent's context."""


class ContextNotActive(RequestError):
    """A context was used while its agent or task was not running, or from another event loop or thread."""


class WrongEventLoop(RequestError):
    """Virtual time needs its own event loop, and this is another."""
