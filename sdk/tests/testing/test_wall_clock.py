"""`datetime` and `time` follow the virtual clock of whoever calls them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import datetime as datetime_module
import importlib
import logging
import pickle
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from time import time as time_by_name
from types import SimpleNamespace

import freezegun
import msgspec
import pydantic
import pytest

from rescind.testing import wall_clock
from rescind.testing.virtual_time import DEFAULT_START, run, virtual_loop
from rescind.testing.wall_clock import following_wall_clock


class Real:
    """The real classes, where no stand-in is put in their place: in a class, not in a module."""

    datetime = datetime_module.datetime
    date = datetime_module.date


YEAR = DEFAULT_START.year


@pytest.fixture(params=["UTC", "Asia/Tokyo"])
def local_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_every_clock_follows_each_jump(local_zone: str) -> None:
    async def main() -> None:
        for _ in range(3):
            instant = virtual_loop().now()
            assert datetime.now(UTC) == datetime_module.datetime.now(UTC) == instant
            assert datetime.now().astimezone() == datetime.today().astimezone() == instant
            assert datetime.utcnow().replace(tzinfo=UTC) == instant if sys.version_info < (3, 12) else True
            assert date.today() == instant.astimezone().date()
            assert time.time() == time_by_name() == instant.timestamp() == datetime.now().timestamp()
            assert time.time_ns() == round(instant.timestamp() * 1e9)
            assert time.gmtime()[:6] == instant.timetuple()[:6]
            assert time.localtime()[:6] == instant.astimezone().timetuple()[:6]
            assert time.strftime("%H:%M:%S") == instant.astimezone().strftime("%H:%M:%S")
            assert time.ctime() == time.asctime() == instant.astimezone().ctime()
            await asyncio.sleep(36 * 3600 + 1.5)

    run(main())


def test_threads_of_the_loop_see_its_time() -> None:
    async def main() -> float:
        await asyncio.sleep(100)
        return (await asyncio.to_thread(datetime.now, UTC) - DEFAULT_START).total_seconds()

    assert run(main()) == 100


def test_other_threads_see_the_real_time() -> None:
    async def main() -> list[float]:
        seen: list[float] = []
        thread = threading.Thread(target=lambda: seen.extend((time.time(), datetime.now(UTC).timestamp())))
        thread.start()
        thread.join()
        return seen

    before = time.time()
    seen = run(main(), start=datetime(1999, 1, 1, tzinfo=UTC))
    assert all(before <= moment <= time.time() for moment in seen)


def test_loops_in_two_threads_have_their_own_years() -> None:
    meeting = threading.Barrier(2)

    def year_of(start: int) -> list[int]:
        async def main() -> list[int]:
            meeting.wait(10)
            first = datetime.now(UTC).year
            meeting.wait(10)
            await asyncio.sleep(366 * 24 * 3600)
            return [first, datetime.now(UTC).year]

        return run(main(), start=datetime(start, 1, 1, tzinfo=UTC))

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(year_of, (1980, 1990))) == [[1980, 1981], [1990, 1991]]
    assert datetime_module.datetime is Real.datetime


def test_without_wall_clock_everything_stays_real() -> None:
    async def main() -> tuple[float, type]:
        return time.time(), datetime_module.datetime

    before = time.time()
    moment, kind = run(main(), wall_clock=False, start=datetime(1999, 1, 1, tzinfo=UTC))
    assert moment >= before
    assert kind is Real.datetime


def test_monotonic_clocks_stay_real() -> None:
    async def main() -> float:
        begun = time.monotonic(), time.perf_counter()
        await asyncio.sleep(3600)
        return max(time.monotonic() - begun[0], time.perf_counter() - begun[1])

    assert run(main()) < 60


def test_after_the_last_run_the_real_classes_are_back_everywhere() -> None:
    real_time = time.time

    async def main() -> tuple[object, object]:
        return datetime, time.time

    during = run(main())
    assert during[0] is not Real.datetime
    assert during[1] is not real_time
    assert datetime is datetime_module.datetime is Real.datetime
    assert date is datetime_module.date is Real.date
    assert time.time is real_time is time_by_name


def test_what_a_run_makes_is_of_the_real_classes() -> None:
    async def main() -> list[object]:
        now = datetime.now(UTC)
        return [now, datetime.now(), datetime(2020, 1, 2), now + timedelta(1), datetime.fromisoformat("2020-01-02")]

    assert {type(made) for made in run(main())} == {Real.datetime}


def test_a_stand_in_is_taken_for_its_class() -> None:
    async def main() -> None:
        assert isinstance(Real.datetime(2020, 1, 1), datetime)
        assert isinstance(datetime.now(), date)
        assert not isinstance(Real.date(2020, 1, 1), datetime)
        assert issubclass(Real.datetime, datetime)
        assert {Real.datetime: "found"}[datetime] == {datetime: "found"}[Real.datetime] == "found"

    run(main())


def test_a_subclass_of_a_stand_in_is_a_class_of_its_own() -> None:
    async def main() -> None:
        class Moment(datetime):
            pass

        assert type(Moment.now(UTC)) is Moment
        assert Moment.now(UTC) == virtual_loop().now()
        assert not isinstance(datetime.now(), Moment)

    run(main())


def test_dates_can_be_pickled_and_copied_during_a_run_and_read_after_it() -> None:
    async def main() -> list[bytes]:
        values = datetime.now(UTC), datetime.now(), date.today()
        assert copy.deepcopy(values) == values
        assert all(pickle.loads(pickle.dumps(value)) == value for value in values)
        return [pickle.dumps(value) for value in values]

    read = [pickle.loads(pickled) for pickled in run(main())]
    assert read[0] == DEFAULT_START
    assert [type(value) for value in read] == [Real.datetime, Real.datetime, Real.date]


class Appointment(msgspec.Struct):
    at: datetime
    day: date


class Visit(msgspec.Struct):
    at: datetime_module.datetime | None


class Meeting(pydantic.BaseModel):
    at: datetime


def test_msgspec_and_pydantic_encode_and_decode_during_a_run() -> None:
    async def main() -> None:
        appointment = Appointment(datetime.now(UTC), date.today())
        assert msgspec.json.decode(msgspec.json.encode(appointment), type=Appointment) == appointment
        assert msgspec.convert({"at": "2020-01-01T00:00:00"}, Visit) == Visit(Real.datetime(2020, 1, 1))
        assert Meeting.model_validate_json(Meeting(at=datetime.now(UTC)).model_dump_json()).at == virtual_loop().now()

    run(main())


def test_pydantic_takes_an_annotation_from_before_the_run() -> None:
    async def main() -> datetime:
        return pydantic.TypeAdapter(Real.datetime).validate_python("2020-01-01T00:00:00")

    assert run(main()) == Real.datetime(2020, 1, 1)


def test_a_module_imported_during_a_run_follows_too_and_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_late.py").write_text("from datetime import datetime\nfrom time import time\n")
    monkeypatch.syspath_prepend(tmp_path)

    async def main() -> SimpleNamespace:
        late = importlib.import_module("imported_late")
        assert late.datetime.now(UTC) == virtual_loop().now()
        await asyncio.sleep(5)
        assert late.time() == virtual_loop().now().timestamp()
        return SimpleNamespace(**vars(late))

    run(main())
    late = sys.modules.pop("imported_late")
    assert late.datetime is Real.datetime
    assert late.time is time.time


def test_a_run_begins_where_freezegun_holds_the_time_and_goes_on_from_there() -> None:
    async def main() -> None:
        assert virtual_loop().now() == Real.datetime(2012, 1, 14, tzinfo=UTC)
        await asyncio.sleep(10)
        assert datetime.now(UTC) == virtual_loop().now() == Real.datetime(2012, 1, 14, 0, 0, 10, tzinfo=UTC)

    with freezegun.freeze_time("2012-01-14"):
        run(main())
        assert datetime.now(UTC) == Real.datetime(2012, 1, 14, tzinfo=UTC)
    assert datetime is Real.datetime


def test_a_start_that_is_given_wins_over_freezegun() -> None:
    async def main() -> int:
        return datetime.now(UTC).year

    with freezegun.freeze_time("2012-01-14"):
        assert run(main(), start=Real.datetime(1970, 1, 1, tzinfo=UTC)) == 1970


def test_a_freeze_inside_a_run_wins_until_it_ends() -> None:
    async def main() -> None:
        with freezegun.freeze_time("2012-01-14") as frozen:
            await asyncio.sleep(3600)
            assert datetime.now(UTC) == Real.datetime(2012, 1, 14, tzinfo=UTC)
            assert date.today() == Real.date(2012, 1, 14)
            assert time.time() == Real.datetime(2012, 1, 14, tzinfo=UTC).timestamp()
            frozen.tick(5)
            assert datetime.now(UTC).second == 5
        assert datetime.now(UTC) == datetime_module.datetime.now(UTC) == DEFAULT_START + timedelta(hours=1)

    run(main())
    assert datetime_module.datetime is Real.datetime


def test_freezegun_works_as_ever_between_two_runs() -> None:
    async def main() -> int:
        return datetime.now(timezone(timedelta(hours=1))).year

    assert run(main()) == YEAR
    with freezegun.freeze_time("2012-01-14"):
        assert datetime.now() == Real.datetime(2012, 1, 14)
    assert run(main()) == YEAR


def test_freezegun_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wall_clock, "_freezes", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "freezegun.api")

    async def main() -> datetime:
        return datetime.now(UTC)

    assert run(main()) == DEFAULT_START


def test_blocks_may_end_in_any_order() -> None:
    first, second = following_wall_clock(), following_wall_clock()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert datetime is not Real.datetime
    second.__exit__(None, None, None)
    assert datetime is Real.datetime


def test_a_log_record_bears_the_virtual_time(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        await asyncio.sleep(60)
        logging.getLogger("test").warning("late")

    run(main())
    assert caplog.records[-1].created == DEFAULT_START.timestamp() + 60
