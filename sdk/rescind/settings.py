"""Where the server is, and what else is said once for all: ``RESCIND_*`` variables, then ``rescind.toml``."""

from __future__ import annotations

import getpass
import os
import tomllib
from collections.abc import Callable, Mapping
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
    """

    address: str = DEFAULT_ADDRESS
    token: str | None = None
    queue: str = DEFAULT_QUEUE
    slots: int | None = None
    agent_slots: int | None = None
    store: Path | None = None
    durability: str = "full"
    retention: timedelta | None = None


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
        if (store := found.get("store")) is not None:
            # As the one who wrote the file means it, wherever the command is typed.
            found["store"] = path.parent / store
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


def _durability(value: Any, what: str) -> str:
    if value not in DURABILITIES:
        raise InvalidInput(f"{what} is {value!r}. Give one of {', '.join(DURABILITIES)}.")
    return str(value)


def _store(value: Any, what: str) -> Path:
    return Path(_text(value, what)).expanduser()


def _retention(value: Any, what: str) -> timedelta:
    try:
        return age_of(_text(value, what))
    except InvalidInput as error:
        raise InvalidInput(f"{what}: {error}") from None


def _number_if_meant(name: str, text: str) -> Any:
    """Variables are texts; a number's is read as the number that it says."""
    return int(text) if _READ[name] is _slots and text.isascii() and text.isdigit() else text


_READ: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "address": _text,
    "token": _secret,
    "queue": _text,
    "slots": _slots,
    "agent_slots": _slots,
    "store": _store,
    "durability": _durability,
    "retention": _retention,
}


def user_name() -> str:
    """The name of the operating system's user; ``unknown`` where it has none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
