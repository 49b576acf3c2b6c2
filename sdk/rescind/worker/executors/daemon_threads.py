"""A pool of threads that never keep the interpreter from exiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any

_Call = tuple["Future[Any]", Callable[[], Any]]


class DaemonThreads(ThreadPoolExecutor):
    """As its base, with daemon threads of its own.

    Python joins the threads of a ThreadPoolExecutor before it exits, so one call that hangs would keep a process alive
    whose worker has long stopped. It is one nevertheless: event loops may treat it as such.
    """

    def __init__(self, most: int, name: str) -> None:
        """Start no thread yet.

        Args:
            most: how many threads at once.
            name: what the threads are called; a number follows.
        """
        super().__init__(max_workers=most)
        self._most = most
        self._name = name
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0
        self._open_calls = 0
        self._is_shut_down = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call a function as soon as a thread is free. Raises RuntimeError after `shutdown`."""
        future: Future[Any] = Future()
        with self._lock:
            if self._is_shut_down:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._open_calls += 1
            self._calls.put((future, partial(fn, *args, **kwargs)))
            if self._started < min(self._open_calls, self._most):
                self._started += 1
                name = f"{self._name}-{self._started}"
                threading.Thread(target=self._carry_out, name=name, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and let each thread end when it has nothing more to do. Never waits for one."""
        with self._lock:
            if self._is_shut_down:
                return
            self._is_shut_down = True
            for _ in range(self._started):
                self._calls.put(None)
        super().shutdown(wait=False, cancel_futures=cancel_futures)

    def _carry_out(self) -> None:
        while (call := self._calls.get()) is not None:
            self._call(*call)
            del call

    def _call(self, future: Future[Any], function: Callable[[], Any]) -> None:
        if not future.set_running_or_notify_cancel():
            self._end_call()
            return
        try:
            result = function()
        except BaseException as error:  # as in concurrent.futures, it is raised where the result is awaited
            self._end_call()
            future.set_exception(error)
        else:
            self._end_call()
            future.set_result(result)

    def _end_call(self) -> None:
        with self._lock:
            self._open_calls -= 1
