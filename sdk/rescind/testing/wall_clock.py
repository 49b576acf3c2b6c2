"""``datetime`` and ``time`` follow the virtual clock of the loop that asks for them.

While at least one block of `following_wall_clock` is open, ``datetime.now()``, ``date.today()``, ``time.time()`` and
their kin ask which virtual loop the calling thread works for. Code of such a loop, its coroutines and its threads, gets
the loop's time, in the time zone of the machine; everything else gets the real time. ``time.monotonic`` and
``time.perf_counter`` stay real: event loops, locks and test runners count with them.

The stand-ins make only plain ``datetime`` and ``date`` objects, so nothing that leaves a run can be told from a real
one: it pickles, encodes and compares as ever. They do not need freezegun, but heed it: a freeze that is open when a run
begins sets its start, and one that is opened inside wins until it ends.

Not covered: functions bound elsewhere than in a module (``default_factory=datetime.now``), and annotations that are
evaluated at once (no ``from __future__ import annotations``) in a class defined while a block is open, such as those of
a module imported there: ``datetime`` in them is the stand-in, which pydantic takes for the real class, but msgspec does
not. While a freeze of freezegun's surrounds the run, freezegun's classes are in place, with their own rules: local time
is UTC, and msgspec does not encode them.
"""

from __future__ import annotations

import contextlib
import copyreg
import datetime as datetime_module
import importlib
import importlib.util
import sys
import threading
import time as time_module
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Any, Final, TypeAlias

from rescind.testing.virtual_clock import Substitution, current_clock

_RealDatetime: TypeAlias = datetime
_RealDate: TypeAlias = date
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class _Freezes:
    """What freezegun holds frozen. Knows freezegun's stack of freezes, and nothing else of it."""

    def __init__(self) -> None:
        # Before any stand-in is in place: freezegun takes what it finds at its import for the real time.
        self._api: Any = importlib.import_module("freezegun.api") if importlib.util.find_spec("freezegun") else None

    def is_open(self) -> bool:
        return bool(self._api and self._api.freeze_factories)

    def of_the_user(self) -> Any:
        """freezegun's module if the innermost freeze is the user's, or None."""
        if self._api is None:
            return None
        factories = self._api.freeze_factories
        return self._api if factories and not isinstance(factories[-1], _FollowingFreeze) else None

    def push(self, freeze: _FollowingFreeze) -> None:
        """Open `freeze` inside those that are open. While it is there, freezegun's own start and stop patch nothing."""
        if self._api is None:
            return
        api = self._api
        freeze.outer = api.freeze_factories[-1] if api.freeze_factories else None
        api.tz_offsets.append(api.tz_offsets[-1] if api.tz_offsets else timedelta(0))
        api.ignore_lists.append(api.ignore_lists[-1] if api.ignore_lists else ())
        api.tick_flags.append(False)
        api.freeze_factories.append(freeze)

    def remove(self, freeze: _FollowingFreeze) -> None:
        """Close `freeze`, wherever it stands: two loops in two threads end in any order."""
        if self._api is None:
            return
        api = self._api
        position = next(index for index, factory in enumerate(api.freeze_factories) if factory is freeze)
        for stack in (api.freeze_factories, api.tz_offsets, api.ignore_lists, api.tick_flags):
            del stack[position]


class _FollowingFreeze:
    """A freeze of freezegun's that is not frozen: it gives the time of the loop that asks."""

    def __init__(self) -> None:
        self.outer: Callable[[], datetime] | None = None

    def __call__(self) -> datetime:
        clock = current_clock()
        if clock is not None:
            return clock.now().replace(tzinfo=None)
        return _RealDatetime.now(UTC).replace(tzinfo=None) if self.outer is None else self.outer()


_freezes: _Freezes | None = None


def _known_freezes() -> _Freezes:
    global _freezes
    if _freezes is None:
        _freezes = _Freezes()
    return _freezes


def frozen_start() -> datetime | None:
    """Where freezegun holds the time of the calling code, aware and in UTC, or None if it does not."""
    if "freezegun.api" not in sys.modules:
        return None
    api = _known_freezes().of_the_user()
    if api is None:
        return None
    frozen = api.freeze_factories[-1]()
    return _RealDatetime.combine(frozen, frozen.time(), UTC)


def _user_freeze() -> Any:
    return None if _freezes is None else _freezes.of_the_user()


class _StandInClass(type):
    """Makes a stand-in equal to its class, for ``isinstance`` and for tables that are keyed by class."""

    def __instancecheck__(cls, instance: object) -> bool:
        real = cls.__dict__.get("_stands_for")
        return super().__instancecheck__(instance) if real is None else isinstance(instance, real)

    def __subclasscheck__(cls, subclass: type) -> bool:
        real = cls.__dict__.get("_stands_for")
        return super().__subclasscheck__(subclass) if real is None else issubclass(subclass, real)

    def __eq__(cls, other: object) -> bool:
        return cls is other or (other is not None and cls.__dict__.get("_stands_for") is other)

    def __hash__(cls) -> int:
        return hash(cls.__dict__.get("_stands_for") or type.__hash__(cls))


class _StandInDate(_RealDate, metaclass=_StandInClass):
    _stands_for = _RealDate

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        return _RealDate.__new__(_RealDate if cls is _StandInDate else cls, *arguments, **named)

    @classmethod
    def today(cls) -> Any:
        freeze, clock = _user_freeze(), current_clock()
        if freeze is None and clock is None:
            return super().today()
        today = freeze.FakeDate.today() if freeze else clock.now().astimezone()  # type: ignore[union-attr]
        return cls(today.year, today.month, today.day)


class _StandInDatetime(_RealDatetime, metaclass=_StandInClass):
    _stands_for = _RealDatetime

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        return _RealDatetime.__new__(_RealDatetime if cls is _StandInDatetime else cls, *arguments, **named)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        freeze, clock = _user_freeze(), current_clock()
        if freeze is not None:
            frozen = freeze.FakeDatetime.now(tz)
            return cls.combine(frozen, frozen.timetz())
        if clock is None:
            return super().now(tz)
        moment = clock.now().astimezone(tz)
        return cls.combine(moment, moment.timetz() if tz else moment.time())

    @classmethod
    def today(cls) -> Any:
        return cls.now()

    @classmethod
    def utcnow(cls) -> Any:
        return cls.now(UTC).replace(tzinfo=None)


# Pickle looks a class up by its name: so a date that is pickled during a run names the real class when it is read.
for _stand_in in (_StandInDate, _StandInDatetime):
    _stand_in.__module__ = "datetime"
    _stand_in.__name__ = _stand_in.__qualname__ = _stand_in._stands_for.__name__


def _pickle_date(value: date) -> tuple[Any, ...]:
    return (_StandInDate, *value.__reduce__()[1:])


def _pickle_datetime(value: datetime) -> tuple[Any, ...]:
    return (_StandInDatetime, *value.__reduce_ex__(4)[1:])


_real_time: Final = time_module.time
_real_time_ns: Final = time_module.time_ns
_real_localtime: Final = time_module.localtime
_real_gmtime: Final = time_module.gmtime
_real_strftime: Final = time_module.strftime
_real_asctime: Final = time_module.asctime


def _time_ns() -> int:
    freeze, clock = _user_freeze(), current_clock()
    if freeze is not None:
        return int(freeze.fake_time_ns())
    return _real_time_ns() if clock is None else (clock.now() - _EPOCH) // _MICROSECOND * 1000


def _time() -> float:
    return _real_time() if current_clock() is None and _user_freeze() is None else _time_ns() / 1e9


def _localtime(seconds: float | None = None) -> time_module.struct_time:
    return _real_localtime(_time() if seconds is None else seconds)


def _gmtime(seconds: float | None = None) -> time_module.struct_time:
    return _real_gmtime(_time() if seconds is None else seconds)


def _strftime(format: str, moment: Any = None) -> str:
    return _real_strftime(format, _localtime() if moment is None else moment)


def _asctime(moment: Any = None) -> str:
    return _real_asctime(_localtime() if moment is None else moment)


def _ctime(seconds: float | None = None) -> str:
    return _real_asctime(_localtime(seconds))


class _RealNames(dict[str, Any]):
    """The names around an annotation, the real classes in place of their stand-ins."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if value is datetime_module:
            return _REAL_MODULE
        return value.__dict__.get("_stands_for", value) if isinstance(value, _StandInClass) else value


_REAL_MODULE: Final = SimpleNamespace(**vars(datetime_module))


# For annotations that are strings. msgspec knows `datetime` by identity, and looks at the annotations of a struct once,
# when it first needs them: were that during a run, it could never read the struct again. All who evaluate annotations
# do it through `typing`, and a module's own `eval` goes before the builtin.
def _evaluate(source: Any, names: dict[str, Any] | None = None, local_names: Mapping[str, Any] | None = None) -> Any:
    return eval(source, names, _RealNames({**(names or {}), **(local_names or {})}))


_substitution: Final = Substitution(
    [
        (_RealDate, _StandInDate),
        (_RealDatetime, _StandInDatetime),
        (_real_time, _time),
        (_real_time_ns, _time_ns),
        (_real_localtime, _localtime),
        (_real_gmtime, _gmtime),
        (_real_strftime, _strftime),
        (_real_asctime, _asctime),
        (time_module.ctime, _ctime),
    ]
)
_lock: Final = threading.Lock()
_open_blocks = 0
_substituted = False


@contextlib.contextmanager
def following_wall_clock() -> Iterator[None]:
    """While the block is open, `datetime` and `time` follow the virtual clock of whoever calls them.

    The first block puts the stand-ins in place and the last one takes them out, so that code outside any run, and the
    classes that it defines, meets the real classes only. If a freeze of freezegun's is open at the first block, its
    fakes are in place already, and serve.
    """
    freeze = _FollowingFreeze()
    _enter(freeze)
    try:
        yield
    finally:
        _leave(freeze)


def _enter(freeze: _FollowingFreeze) -> None:
    global _open_blocks, _substituted
    with _lock:
        freezes = _known_freezes()
        _open_blocks += 1
        if _open_blocks == 1 and not freezes.is_open():
            _substitution.apply()
            vars(typing)["eval"] = _evaluate
            copyreg.pickle(_RealDate, _pickle_date)
            copyreg.pickle(_RealDatetime, _pickle_datetime)
            _substituted = True
        freezes.push(freeze)


def _leave(freeze: _FollowingFreeze) -> None:
    global _open_blocks, _substituted
    with _lock:
        _known_freezes().remove(freeze)
        _open_blocks -= 1
        if _open_blocks == 0 and _substituted:
            _substitution.undo()
            vars(typing).pop("eval", None)
            copyreg.dispatch_table.pop(_RealDate, None)
            copyreg.dispatch_table.pop(_RealDatetime, None)
            _substituted = False
