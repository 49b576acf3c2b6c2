"""What an agent's body must not do, and how it is told.

Two nets. What goes through the event loop meets ``DurableLoop``, whose methods for sockets, threads, processes
and signals refuse. What goes past the loop (``open()``, ``socket``, ``threading``, ``subprocess``) is seen by one
audit hook for the whole process, which looks closer only while the running loop of the thread is a ``DurableLoop``.

Python's own reading of files (imports, tracebacks, logging, time zones) and whatever Rescind does on the agent's
behalf pass.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from rescind.backends.native.code_places import OUR_CODE
from rescind.errors import NotDurableError

if TYPE_CHECKING:
    # The same methods, but complete: a type checker would otherwise ask for the eighty that refuse.
    _LoopMethods = asyncio.BaseEventLoop
else:
    _LoopMethods = asyncio.AbstractEventLoop

_WAY_OUT: Final = "use ctx.run(...) or a task"

_REFUSED_BY_THE_LOOP: Final = (
    *("run_in_executor", "set_default_executor", "shutdown_default_executor", "run_forever", "run_until_complete"),
    *("stop", "create_connection", "create_server", "create_unix_connection", "create_unix_server"),
    *("create_datagram_endpoint", "connect_accepted_socket", "start_tls", "sendfile", "getaddrinfo", "getnameinfo"),
    *("sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into", "sock_sendall", "sock_sendto"),
    *("sock_connect", "sock_accept", "sock_sendfile", "add_reader", "remove_reader", "add_writer", "remove_writer"),
    *("connect_read_pipe", "connect_write_pipe", "subprocess_shell", "subprocess_exec"),
    *("add_signal_handler", "remove_signal_handler"),
)

# Some exist in some versions only (time.sleep and start_joinable_thread from 3.13 on): a name that is never
# raised costs nothing.
_WATCHED: Final = frozenset(
    {
        *("open", "builtins.input", "time.sleep", "sqlite3.connect", "mmap.__new__", "webbrowser.open"),
        *("_thread.start_new_thread", "_thread.start_joinable_thread"),
        *("subprocess.Popen", "pty.spawn", "os.system", "os.startfile", "os.exec", "os.spawn", "os.posix_spawn"),
        *("os.fork", "os.forkpty", "os.kill", "os.killpg"),
        *("socket.__new__", "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"),
        *("socket.getaddrinfo", "socket.getnameinfo", "socket.gethostbyname", "socket.gethostbyaddr"),
        *("os.chdir", "os.chmod", "os.chown", "os.link", "os.listdir", "os.mkdir", "os.remove", "os.rename"),
        *("os.rmdir", "os.scandir", "os.symlink", "os.truncate", "os.utime"),
    }
)

# Python reads files of its own accord, from inside anybody's code.
_READS_FOR_PYTHON: Final = frozenset(
    {
        *("importlib", "_frozen_importlib", "_frozen_importlib_external", "zipimport", "pkgutil", "runpy"),
        *("linecache", "tokenize", "traceback", "inspect", "warnings", "logging", "gettext", "zoneinfo"),
        *("pdb", "bdb"),
    }
)
_IMPORTS: Final = frozenset({"importlib._bootstrap", "_frozen_importlib"})

# With os.path: texts are compared with these, in every call that the guard looks at.
_STANDARD_LIBRARY: Final = os.path.dirname(os.path.abspath(os.__file__)) + os.sep  # noqa: PTH100, PTH120
_PACKAGES_IN_IT: Final = (_STANDARD_LIBRARY + "site-packages", _STANDARD_LIBRARY + "dist-packages")
_RESCIND: Final = OUR_CODE + os.sep

_installing = threading.Lock()
_installed = False


class DurableLoop(_LoopMethods):
    """An event loop whose every way to the outside raises ``NotDurableError``.

    The guard watches the code that runs while such a loop is the running loop of its thread.
    """

    __slots__ = ()

    if not TYPE_CHECKING:

        def __init__(self) -> None:
            install_guard()

        def get_debug(self) -> bool:
            return False  # asyncio's debug mode measures real time.

        def set_debug(self, enabled: bool) -> None:
            pass

        def get_task_factory(self) -> None:
            return None

        def set_task_factory(self, factory: Any) -> None:
            if factory is not None:
                raise ValueError("an agent's loop makes its own tasks")

        async def shutdown_asyncgens(self) -> None:
            pass


class outside_agent:  # noqa: N801 - reads as the words it stands for, like contextlib's
    """Let the code of this block reach outside, as the function given to ``ctx.run`` may.

    ``with outside_agent(): …`` in the middle of an agent's step: no loop is running inside, so nothing that the
    code does with asyncio can touch the agent either.
    """

    __slots__ = ("_loop",)

    def __enter__(self) -> None:
        self._loop = asyncio._get_running_loop()
        asyncio._set_running_loop(None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio._set_running_loop(self._loop)


_swap_current_task: Any = getattr(asyncio.tasks, "_swap_current_task", None)


def enter_loop(loop: DurableLoop, finalize_generator: Callable[[Any], None]) -> tuple[Any, Any, Any]:
    """Make a loop the running one of this thread.

    Args:
        loop: the agent's.
        finalize_generator: called with an asynchronous generator of the agent that was let go before its end.

    Returns:
        What ``leave_loop`` restores: the loop, task and generator hooks of the worker.
    """
    outer = asyncio._get_running_loop()
    # Python 3.12 and later can take the worker's task off the thread; 3.14 knows one current task per thread. 3.12 can
    # only do so where there is one.
    task = None
    if _swap_current_task is not None and outer is not None and asyncio.current_task(outer) is not None:
        task = _swap_current_task(outer, None)
    hooks = sys.get_asyncgen_hooks()
    asyncio._set_running_loop(loop)
    sys.set_asyncgen_hooks(None, finalize_generator)
    return outer, task, hooks


def leave_loop(surroundings: tuple[Any, Any, Any]) -> None:
    """Restore what was running before ``enter_loop``."""
    outer, task, hooks = surroundings
    sys.set_asyncgen_hooks(*hooks)
    asyncio._set_running_loop(outer)
    if task is not None:
        _swap_current_task(outer, task)


def install_guard() -> None:
    """Watch the process from now on. Repeating it does nothing; it cannot be taken back."""
    global _installed
    if _installed:
        return
    with _installing:
        if not _installed:
            sys.addaudithook(_watch)
            _watch_what_raises_no_event()
            _installed = True


def refuse(operation: str) -> NoReturn:
    """Raise for an operation that reaches outside.

    Raises:
        NotDurableError: names the operation, the line of the agent's code, and the way out.
    """
    _refuse(operation, sys._getframe(1))


def _watch(
    event: str,
    arguments: tuple[Any, ...],
    # Bound here, since the hook outlives this module's globals at the interpreter's end.
    watched: frozenset[str] = _WATCHED,
    running_loop: Any = asyncio._get_running_loop,
) -> None:
    if event in watched and isinstance(running_loop(), DurableLoop):
        frame = sys._getframe(1)
        if not _is_allowed(frame) and not (event == "open" and _is_time_zone(arguments[0])):
            _refuse(event, frame)


def _watched(event: str, original: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    def watched(*arguments: Any) -> Any:
        if isinstance(asyncio._get_running_loop(), DurableLoop) and not _is_allowed(sys._getframe(1)):
            _refuse(event, sys._getframe(1))
        return original(*arguments)

    return watched


def _watch_what_raises_no_event() -> None:
    # The commonest of all slips is not audited before 3.13, the start of a thread not before 3.12.
    if sys.version_info < (3, 13):
        time.sleep = _watched("time.sleep", time.sleep)
    if sys.version_info < (3, 12):
        start_new_thread = "_start_new_thread"
        setattr(threading, start_new_thread, _watched("_thread.start_new_thread", getattr(threading, start_new_thread)))


def _is_time_zone(path: Any) -> bool:
    # zoneinfo, written in C, opens its files in the name of whoever asked for the zone.
    zones = sys.modules.get("zoneinfo")
    return zones is not None and isinstance(path, str) and path.startswith(tuple(zones.TZPATH))


def _is_allowed(frame: FrameType | None) -> bool:
    in_agents_code = False
    while frame is not None:
        if _is_standard(frame.f_code):
            module = frame.f_globals.get("__name__", "")
            if module in _IMPORTS:
                # A module's first lines may do as they like: they run once per process, not once per replay.
                return True
            if not in_agents_code and module.partition(".")[0] in _READS_FOR_PYTHON:
                return True
        elif _is_ours(frame.f_code):
            # Up to here nobody but us; or, after agent's code, the loop that runs it: the end of the search.
            return not in_agents_code
        else:
            in_agents_code = True
        frame = frame.f_back
    return not in_agents_code


def _refuse(operation: str, frame: FrameType | None) -> NoReturn:
    asked_for = operation
    while frame is not None and (_is_standard(frame.f_code) or _is_ours(frame.f_code)):
        if _is_standard(frame.f_code):
            asked_for = f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}"
        frame = frame.f_back
    through = "" if asked_for == operation else f" (through {asked_for})"
    sort = getattr(asyncio._get_running_loop(), "sort", "agent")
    where = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else f"a place outside the {sort}'s code"
    raise NotDurableError(
        f"{operation}{through} at {where} reaches outside the {sort}, where a recovery could not repeat it: {_WAY_OUT}"
    )


def _is_standard(code: CodeType) -> bool:
    name = code.co_filename
    return name.startswith("<frozen ") or (name.startswith(_STANDARD_LIBRARY) and not name.startswith(_PACKAGES_IN_IT))


def _is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(_RESCIND)


def _refusal(name: str) -> Any:
    def refused(self: DurableLoop, *arguments: Any, **options: Any) -> NoReturn:
        refuse(f"loop.{name}")

    refused.__name__ = name
    refused.__qualname__ = f"DurableLoop.{name}"
    refused.__doc__ = f"Refuse: raises NotDurableError. An agent has no ``{name}``."
    return refused


for _name in _REFUSED_BY_THE_LOOP:
    setattr(DurableLoop, _name, _refusal(_name))


_AS_COMPLETED: Final = asyncio.as_completed.__code__
_ENSURE_FUTURE: Final = frozenset(
    getattr(asyncio.tasks, name).__code__
    for name in ("ensure_future", "_ensure_future")
    if hasattr(asyncio.tasks, name)
)


def given_to_as_completed(frame: FrameType | None) -> Iterable[Any] | None:
    """What ``asyncio.as_completed`` was given, if it is about to start that; else None.

    It starts things in the order of a set, thus of memory addresses, which no replay repeats. The loop starts them
    in the order given instead.

    Args:
        frame: what called ``create_task``.

    Raises:
        NotDurableError: it was given an iterator, which no longer tells its order.
    """
    if frame is None or frame.f_code not in _ENSURE_FUTURE:
        return None
    for _ in range(5):
        if frame is None or frame.f_code is _AS_COMPLETED:
            break
        frame = frame.f_back
    if frame is None or frame.f_code is not _AS_COMPLETED:
        return None
    given: Iterable[Any] = frame.f_locals["fs"]
    if iter(given) is given:
        refuse("asyncio.as_completed of a generator (no order that a replay repeats; give it a list)")
    return given
