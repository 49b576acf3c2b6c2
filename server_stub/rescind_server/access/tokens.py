"""Tokens: what proves who calls. The text is shown once; what is kept cannot be turned back into it."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from enum import StrEnum
from typing import Final

import msgspec

from rescind.errors import InvalidInput, NotAuthenticated
from rescind.model.commands import DEFAULT_ORGANISATION
from rescind.model.ids import Instant

_TEXT: Final = re.compile(r"rescind_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32


class Role(StrEnum):
    """What a token is for."""

    CLIENT = "client"
    """Starts executions; sees and cancels what it started."""
    WORKER = "worker"
    """Runs code, and nothing else."""
    VIEWER = "viewer"
    """Sees everything of its organisation but who asked for what, and changes nothing."""
    OPERATOR = "operator"
    """Sees and cancels everything of its organisation."""


class Token(msgspec.Struct, frozen=True, omit_defaults=True):
    """A token as it is kept.

    Attributes:
        token_id: names it; part of its text.
        name: who has it. Several tokens may have one name: so one can take the place of another.
        role: what it is for.
        digest: SHA-256 of its secret, in hexadecimal. Of 256 random bits a slow hash would hide no more.
        created_at: when it was made.
        organisation: whose executions it reaches.
        expires_at: when it ends to be valid; None never.
        revoked_at: when it was revoked; None if it was not.
        created_by: who made it: ``user:NAME`` of the machine; empty if that was not noted.
        revoked_by: who revoked it, likewise.
    """

    token_id: str
    name: str
    role: Role
    digest: str
    created_at: Instant
    organisation: str = DEFAULT_ORGANISATION
    expires_at: Instant | None = None
    revoked_at: Instant | None = None
    created_by: str = ""
    revoked_by: str = ""

    @property
    def principal(self) -> str:
        """Who this is in histories: ``client:web``, ``operator:alice``."""
        return f"{self.role.value}:{self.name}"

    def state(self, now: Instant) -> str:
        """``valid``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"

    def check(self, secret: str, now: Instant) -> None:
        """Raises NotAuthenticated unless this is its secret and it is valid now."""
        if not hmac.compare_digest(_digest(secret), self.digest):
            raise NotAuthenticated("the token is not known. Ask an operator for one: rescind token create.")
        state = self.state(now)
        if state != "valid":
            raise NotAuthenticated(f"token {self.token_id} is {state}. Ask an operator for another.")


def new_token(
    name: str,
    role: Role,
    now: Instant,
    *,
    organisation: str = DEFAULT_ORGANISATION,
    expires_at: Instant | None = None,
    by: str = "",
) -> tuple[Token, str]:
    """A new token, and its text, which nobody can find out later.

    Raises:
        InvalidInput: a name that is none, or an end that has passed.
    """
    for what, given in (("a token's name", name), ("an organisation", organisation)):
        if not _NAME.fullmatch(given):
            raise InvalidInput(
                f"{what} is {given!r}. Give 1 to 64 letters, digits, dots, hyphens and underscores; the first and the "
                "last a letter or digit."
            )
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("the token would have expired already. Give a later end.")
    token_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    token = Token(token_id, name, role, _digest(secret), now, organisation, expires_at, created_by=by)
    return token, f"rescind_{token_id}_{secret}"


def parts_of(text: str) -> tuple[str, str]:
    """The id and the secret of a token's text.

    Raises:
        NotAuthenticated: it is no token. The text is not repeated: it may be a secret all the same.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise NotAuthenticated(
            "what was given is no token of Rescind. Give the text that `rescind token create` showed."
        )
    return found[1], found[2]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
