"""Who asks. Where nobody has to prove who they are, everybody is whom they say they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from rescind.errors import NotAuthenticated, NotPermitted
from rescind.model.commands import DEFAULT_ORGANISATION
from rescind.model.ids import Instant
from rescind.model.trace_parent import HEADER, trace_parent_of
from rescind.transport.grpc_methods import TOKEN_METADATA
from rescind_server.access.rates import Rates
from rescind_server.access.token_file import KnownTokens
from rescind_server.access.tokens import Role

EVERY_ROLE: Final = frozenset(Role)
_SCHEME: Final = "bearer "


class Caller(msgspec.Struct, frozen=True):
    """Who makes a call.

    Attributes:
        organisation: whose executions it may see.
        by: what is written into histories; None takes what the request says.
        roles: what it may do.
        trace_parent: the span that the call is made in, as it says; None if it says none.
    """

    organisation: str = DEFAULT_ORGANISATION
    by: str | None = None
    roles: frozenset[Role] = EVERY_ROLE
    trace_parent: str | None = None

    def name_for(self, said: str) -> str:
        """The name that histories get: the proven one, else what the request says, else ``client:unknown``."""
        return self.by or said or "client:unknown"

    def traced(self, metadata: Mapping[str, str]) -> Caller:
        """The caller, with the span that a call's metadata names. One that cannot be meant is passed over."""
        found = trace_parent_of(metadata.get(HEADER))
        return self if found is None else msgspec.structs.replace(self, trace_parent=found)

    @property
    def is_operator(self) -> bool:
        """Whether it acts on everything of its organisation, not only on what it started."""
        return Role.OPERATOR in self.roles

    @property
    def sees_all(self) -> bool:
        """Whether it sees everything of its organisation, not only what it started."""
        return not self.roles.isdisjoint((Role.OPERATOR, Role.VIEWER))

    def require(self, *roles: Role) -> None:
        """Raises NotPermitted unless it has one of these roles."""
        if not self.roles.intersection(roles):
            wanted = " or ".join(role.value for role in roles)
            raise NotPermitted(f"{self.by} may not do this. It takes a token of role {wanted}.")


Identify = Callable[[Mapping[str, str]], Caller]
"""Tells from a call's metadata who makes it. Raises NotPermitted."""

ANYBODY: Final = Caller()


def take_everybody(_: Mapping[str, str]) -> Caller:
    """An `Identify` that asks for no proof."""
    return ANYBODY


class TokenIdentity:
    """An `Identify` that takes those who bring a token, each as often as its rate allows."""

    def __init__(self, tokens: KnownTokens, rates: Rates, now: Callable[[], Instant]) -> None:
        self._tokens = tokens
        self._rates = rates
        self._now = now

    def __call__(self, metadata: Mapping[str, str]) -> Caller:
        """Who calls.

        Raises:
            NotAuthenticated: no token, or none that is valid.
            RateLimited: it calls too often.
            StoreError: the tokens cannot be read.
        """
        given = metadata.get(TOKEN_METADATA)
        if given is None:
            raise NotAuthenticated("this server asks for a token. Send it as `authorization: Bearer TOKEN`.")
        if not given.lower().startswith(_SCHEME):
            raise NotAuthenticated("the authorization has another scheme. Send `authorization: Bearer TOKEN`.")
        token = self._tokens.token_of(given[len(_SCHEME) :].strip(), self._now())
        self._rates.count(token.token_id)
        return Caller(token.organisation, token.principal, frozenset({token.role}))
