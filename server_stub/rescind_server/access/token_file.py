"""The file that tokens are kept in: beside the store, readable by its owner alone, changed in one step.

It is not in the store's own file, which its server holds for itself alone: a token can be revoked while it runs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from rescind.errors import NotAuthenticated, NotFound, StoreError
from rescind.model.commands import DEFAULT_ORGANISATION
from rescind.model.ids import Instant
from rescind_server.access.tokens import Role, Token, new_token, parts_of

VERSION: Final = 1
_OWNER_ALONE: Final = 0o600


class _Kept(msgspec.Struct):
    version: int
    tokens: list[Token]


def beside(store: Path) -> Path:
    """Where the tokens of a store are kept, unless set otherwise."""
    return store.with_name(f"{store.name}.tokens")


class TokenFile:
    """Tokens in a file. A change is whole and durable when it returns; two that meet are made one after the other."""

    def __init__(self, path: Path) -> None:
        """The file need not exist; the first token makes it."""
        self.path = path

    def read(self) -> Sequence[Token]:
        """All tokens, the oldest first; none if there is no file.

        Raises:
            StoreError: the file cannot be read, or is none of ours.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StoreError(f"the tokens in {self.path} cannot be read: {error.strerror}.") from error
        try:
            kept = msgspec.json.decode(data, type=_Kept)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StoreError(f"{self.path} is no file of tokens: {error}. Restore it, or remove it.") from None
        if kept.version > VERSION:
            raise StoreError(f"{self.path} was written by a newer Rescind. Use that one.")
        return kept.tokens

    def create(
        self,
        name: str,
        role: Role,
        now: Instant,
        *,
        organisation: str = DEFAULT_ORGANISATION,
        expires_at: Instant | None = None,
        by: str = "",
    ) -> tuple[Token, str]:
        """Make a token and keep it, with who made it; returns it with its text, which is kept nowhere.

        Raises:
            InvalidInput: a name that is none, or an end that has passed.
            StoreError: the file cannot be used.
        """
        token, text = new_token(name, role, now, organisation=organisation, expires_at=expires_at, by=by)
        with self._changing():
            self._write([*self.read(), token])
        return token, text

    def revoke(self, token_id: str, now: Instant, *, by: str = "") -> Token:
        """End a token's validity, and keep who did it; revoking it again changes nothing.

        Raises:
            NotFound: there is no such token.
            StoreError: the file cannot be used.
        """
        with self._changing():
            tokens = list(self.read())
            for place, token in enumerate(tokens):
                if token.token_id == token_id:
                    if token.revoked_at is None:
                        tokens[place] = msgspec.structs.replace(token, revoked_at=now, revoked_by=by)
                        self._write(tokens)
                    return tokens[place]
        raise NotFound(f"no token {token_id!r} in {self.path}. `rescind token list` shows their ids.")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        import fcntl  # noqa: PLC0415 - not on Windows, where the rest of the command line works

        try:
            # A file of its own: the tokens' is another one after each change.
            descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT, _OWNER_ALONE)
        except OSError as error:
            raise StoreError(f"tokens cannot be kept in {self.path}: {error.strerror}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, tokens: Sequence[Token]) -> None:
        encoded = msgspec.json.format(msgspec.json.encode(_Kept(VERSION, list(tokens))))
        try:
            # Made for its owner alone, as all of tempfile is.
            descriptor, made = tempfile.mkstemp(prefix=f"{self.path.name}.", dir=self.path.parent)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(encoded + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
                Path(made).replace(self.path)
            except BaseException:  # half a file of tokens is not left behind, also by Ctrl+C
                Path(made).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise StoreError(f"tokens cannot be kept in {self.path}: {error.strerror}.") from error


class KnownTokens:
    """The tokens of a file as they stand now: a change to the file is seen at the next question."""

    def __init__(self, file: TokenFile) -> None:
        """Read the file. Raises StoreError: it cannot be used."""
        self._file = file
        self._seen = self._stamp()
        self._by_id = self._read()

    def token_of(self, text: str, now: Instant) -> Token:
        """The token that a text proves.

        Raises:
            NotAuthenticated: no such token, or not valid any more.
            StoreError: the file cannot be used any more.
        """
        token_id, secret = parts_of(text)
        stamp = self._stamp()
        if stamp != self._seen:
            self._by_id = self._read()
            self._seen = stamp
        token = self._by_id.get(token_id)
        if token is None:
            raise NotAuthenticated("the token is not known. Ask an operator for one: rescind token create.")
        token.check(secret, now)
        return token

    def _read(self) -> Mapping[str, Token]:
        return {token.token_id: token for token in self._file.read()}

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._file.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
