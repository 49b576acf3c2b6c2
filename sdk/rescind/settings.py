"""Where the server is, and what else is said once for all: ``RESCIND_*`` variables, then ``rescind.toml``."""

from __future__ import annotations

import getpass
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from rescind.errors import InvalidInput
from rescind.model.ages import age_of
from rescind.model.options import DEFAULT_QUEUE

DEFAULT_ADDRESS: Final = "127.0.0.1:7233"
FILE_NAME: Final = "rescind.toml"
FILE_VARIABLE: Final = "RESCIND_CONFIG"
DURABILITIES: Final = ("full", "normal", "off")
LOG_FORMS: Final = ("text", "json")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


class Tls(msgspec.Struct, frozen=True):
    """How a client or worker speaks TLS with its server.

    Attributes:
        authority: a PEM file: the server must have a certificate of one of these authorities; None takes the public
            ones that gRPC knows.
        certificate: a PEM file: what the client proves itself with, where the server asks for that.
        key: a PEM file: the certificate's private key, without a password.
        server_name: the name that the server's certificate must have; None is the one in the address.
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None


class Settings(msgspec.Struct, frozen=True):
    """What holds wherever a call, an option or an argument says nothing else.

    Attributes:
        address: the server's ``host:port``.
        token: what proves who calls.
        queue: where executions are put, and where workers take work from.
        slots: how many attempts a worker runs at once.
        agent_slots: how many runs of agents a worker keeps in memory.
        store: the file in which a server keeps everything; None keeps it in memory.
        durability: what a commit of the server waits for: ``full``, ``normal`` or ``off``.
        retention: how long a server keeps executions that have ended; None keeps them for ever.
        token_file: the file that the token stands in, alone; `token` goes before it.
        tls: whether clients and workers speak TLS; None is yes if one of the following is said.
        tls_ca: see `Tls.authority`.
        tls_certificate: see `Tls.certificate`.
        tls_key: see `Tls.key`.
        tls_server_name: see `Tls.server_name`.
        log: the form of the log of a server or worker: ``text`` or ``json``.
        log_level: the least level that it tells: ``debug``, ``info``, ``warning`` or ``error``.
        temporal: for the command line: the ``host:port`` of the Temporal cluster that is meant instead of a server; or
            ``environment``, for the one that Temporal's own variables and configuration file name.
        temporal_namespace: the namespace there; None is the one that they name.
    """

    address: str = DEFAULT_ADDRESS
    token: str | None = None
    queue: str = DEFAULT_QUEUE
    slots: int | None = None
    agent_slots: int | None = None
    store: Path | None = None
    durability: str = "full"
    retention: timedelta | None = None
    token_file: Path | None = None
    tls: bool | None = None
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_server_name: str | None = None
    log: str = "text"
    log_level: str = "info"
    temporal: str | None = None
    temporal_namespace: str | None = None

    def caller_token(self) -> str | None:
        """What proves who calls: the token, or else what its file says. Raises InvalidInput if that cannot be read."""
        return self.token if self.token is not None or self.token_file is None else token_in(self.token_file)

    def client_tls(self) -> Tls | None:
        """How to speak TLS with the server; None is in the clear."""
        said = Tls(self.tls_ca, self.tls_certificate, self.tls_key, self.tls_server_name)
        return said if self.tls or (self.tls is None and said != Tls()) else None


def tls_given(given: Tls | bool | None) -> Tls | None:
    """What is meant where a caller may also say yes or no."""
    return (Tls() if given else None) if isinstance(given, bool) else given


def token_in(path: Path) -> str:
    """The token that stands in a file, alone.

    Raises:
        InvalidInput: it cannot be read, or there is no token in it.
    """
    try:
        text = path.read_text("utf-8").strip()
    except OSError as error:
        raise InvalidInput(f"the token cannot be read from {path}: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise InvalidInput(f"there is no token in {path}. Write into it what `rescind token create` showed.")
    return _secret(text, f"what stands in {path}")


def load_settings(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """The settings that hold here.

    Each comes from its variable, as ``RESCIND_ADDRESS``, if that is set and not empty; or else from the file
    ``rescind.toml`` in the folder or the nearest one above it, or from the file that ``RESCIND_CONFIG`` names.

    Args:
        environment: the variables; None is the process's own.
        folder: where to begin to look; None is the current one.

    Raises:
        InvalidInput: a key that there is not, a value of the wrong type, or a file that cannot be read; the text names
            the file and the key, or the variable.
    """
    given = os.environ if environment is None else environment
    found: dict[str, Any] = {}
    path = _file(given, folder or Path.cwd())
    if path is not None:
        found = {name: _READ[name](value, f"{path}: {name}") for name, value in _keys_of(path).items()}
        # As the one who wrote the file means it, wherever the command is typed.
        found |= {name: path.parent / value for name, value in found.items() if isinstance(value, Path)}
    if given.get(variable_of("token_file")):
        found.pop("token", None)  # a variable goes before the file, whichever of the two it is
    for name, read in _READ.items():
        variable = variable_of(name)
        if given.get(variable):
            found[name] = read(_number_if_meant(name, given[variable]), variable)
    return Settings(**found)


def variable_of(name: str) -> str:
    """The variable of a setting."""
    return f"RESCIND_{name.upper()}"


def _file(environment: Mapping[str, str], folder: Path) -> Path | None:
    if environment.get(FILE_VARIABLE):
        return Path(environment[FILE_VARIABLE]).expanduser().absolute()
    here = folder.absolute()
    return next((path for each in (here, *here.parents) if (path := each / FILE_NAME).is_file()), None)


def _keys_of(path: Path) -> Mapping[str, Any]:
    try:
        keys = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not TOML: {error}.") from None
    for name in keys:
        if name not in _READ:
            raise InvalidInput(f"{path}: there is no key {name!r}. Known are {', '.join(_READ)}.")
    return keys


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"{what} is {value!r}. Give a text that is not empty.")
    return value


def _secret(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        # Not shown: what is nearly a token must not get into a log.
        raise InvalidInput(f"{what} is no token. Give a text of printable ASCII characters.")
    return value


def _slots(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidInput(f"{what} is {value!r}. Give a whole number of 1 or more.")
    return value


def _one_of(choices: Sequence[str]) -> Callable[[Any, str], str]:
    def read(value: Any, what: str) -> str:
        if value not in choices:
            raise InvalidInput(f"{what} is {value!r}. Give one of {', '.join(choices)}.")
        return str(value)

    return read


def _switch(value: Any, what: str) -> bool:
    if isinstance(value, str) and value.lower() in _SWITCHED:
        return _SWITCHED[value.lower()]
    if not isinstance(value, bool):
        raise InvalidInput(f"{what} is {value!r}. Give true or false.")
    return value


def _path(value: Any, what: str) -> Path:
    return Path(_text(value, what)).expanduser()


def _retention(value: Any, what: str) -> timedelta:
    try:
        return age_of(_text(value, what))
    except InvalidInput as error:
        raise InvalidInput(f"{what}: {error}") from None


def _number_if_meant(name: str, text: str) -> Any:
    """Variables are texts; a number's is read as the number that it says."""
    return int(text) if _READ[name] is _slots and text.isascii() and text.isdigit() else text


_SWITCHED: Final[Mapping[str, bool]] = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_READ: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "address": _text,
    "token": _secret,
    "queue": _text,
    "slots": _slots,
    "agent_slots": _slots,
    "store": _path,
    "durability": _one_of(DURABILITIES),
    "retention": _retention,
    "log": _one_of(LOG_FORMS),
    "log_level": _one_of(LOG_LEVELS),
    "token_file": _path,
    "tls": _switch,
    "tls_ca": _path,
    "tls_certificate": _path,
    "tls_key": _path,
    "tls_server_name": _text,
    "temporal": _text,
    "temporal_namespace": _text,
}


def user_name() -> str:
    """The name of the operating system's user; ``unknown`` where it has none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
