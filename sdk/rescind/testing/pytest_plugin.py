"""The pytest plugin: tests that use its fixtures, or are marked ``rescind``, run in virtual time.

Its fixtures:

- ``rescind_env``: an open `Environment`. Give it agents and tasks by the mark,
  ``@pytest.mark.rescind(agents=[…], tasks=[…], seed=7)``, or by ``rescind_env.register(…)`` before the first start.
- ``mock_agent_context``: makes a `MockAgentContext`; call it with what the agent is to meet.

Async fixtures of function scope that such a test uses run on the same event loop.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from rescind.testing import Environment, MockAgentContext

_OUR_FIXTURES: Final = frozenset({"rescind_env", "mock_agent_context"})
_MARK: Final = "rescind"
_ENVIRONMENT_OPTIONS: Final = frozenset({"agents", "tasks", "seed", "queues", "slots", "lease_ms", "payload_limit"})
_CLOCK_OPTIONS: Final = frozenset({"start", "wait_for_io", "wall_clock"})
_HINT: Final = (
    "\n\nIf it is to run in virtual time: mark it `@pytest.mark.rescind`, or use the fixture rescind_env in place of "
    "an Environment of its own; neither needs another plugin."
)
_program_key: Final = pytest.StashKey["_Program"]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, so that strict markers accept it."""
    config.addinivalue_line(
        "markers",
        "rescind(agents=…, tasks=…, seed=…, start=…, wait_for_io=…): run this test in virtual time; the options are "
        "those of rescind.testing.Environment and rescind.testing.run.",
    )
    config.pluginmanager.register(_HintForUnmarkedTests(), "rescind hint for unmarked tests")


class _HintForUnmarkedTests:
    """Adds our way to what pytest says of an async test that nobody runs, if its module uses rescind.testing."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        try:
            return (yield)
        except pytest.fail.Exception as failure:
            if _coroutine_function(pyfuncitem.obj) is not None and _uses_our_tests(pyfuncitem.module):
                failure.msg = f"{failure.msg}{_HINT}"
            raise


class _Program:
    """One test's event loop, from its first async fixture to its last finaliser."""

    def __init__(self, item: pytest.Item) -> None:
        # Opened here: a test session without such a test does not pay for them.
        from rescind.testing.virtual_time import DEFAULT_START, VirtualTimeLoop  # noqa: PLC0415
        from rescind.testing.wall_clock import following_wall_clock, frozen_start  # noqa: PLC0415

        options = _options_of(item, _CLOCK_OPTIONS)
        self._resources = ExitStack()
        start = options.get("start") or frozen_start() or DEFAULT_START
        if options.get("wall_clock", True):
            self._resources.enter_context(following_wall_clock())
        wait_for_io = options.get("wait_for_io", True)
        self._runner = self._resources.enter_context(
            asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(start=start, wait_for_io=wait_for_io))
        )

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(coroutine)

    def close(self) -> None:
        self._resources.close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object | None:
    """Run an async test of ours on its event loop; leave every other test to others."""
    test = _coroutine_function(pyfuncitem.obj)
    if test is None or not _is_ours(pyfuncitem):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    _program_of(pyfuncitem).run(test(**arguments))
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: Any) -> object | None:
    """Run the async fixtures of a test of ours on its event loop."""
    function: Callable[..., Any] = fixturedef.func
    is_generator = inspect.isasyncgenfunction(function)
    if fixturedef.scope != "function" or not (is_generator or inspect.iscoroutinefunction(function)):
        return None
    if not isinstance(request.node, pytest.Function) or not _is_ours(request.node):
        return None
    program = _program_of(request.node)
    arguments = {name: request.getfixturevalue(name) for name in fixturedef.argnames}
    if request.instance is not None and _takes_self(function):
        function = partial(function, request.instance)
    if is_generator:
        generator: AsyncIterator[Any] = function(**arguments)
        value = program.run(_next_of(generator))
        fixturedef.addfinalizer(lambda: program.run(_finish(generator)))
    else:
        value = program.run(function(**arguments))
    fixturedef.cached_result = (value, fixturedef.cache_key(request), None)
    return True


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Close the test's event loop, behind its fixtures' finalisers."""
    program = item.stash.get(_program_key, None)
    if program is not None:
        del item.stash[_program_key]
        program.close()


@pytest.fixture
def rescind_env(request: pytest.FixtureRequest) -> Iterator[Environment]:
    """An open `Environment` in the test's virtual time."""
    from rescind.testing.environment import Environment  # noqa: PLC0415 - as above

    program = _program_of(request.node)
    environment = Environment(**_options_of(request.node, _ENVIRONMENT_OPTIONS))
    program.run(environment.__aenter__())
    yield environment
    program.run(environment.__aexit__(None, None, None))


@pytest.fixture
def mock_agent_context() -> Callable[..., MockAgentContext]:
    """Makes a `MockAgentContext`: ``ctx = mock_agent_context(task_results={…})``."""
    from rescind.testing.mock_agent import MockAgentContext  # noqa: PLC0415 - as above

    return MockAgentContext


def _program_of(item: Any) -> _Program:
    program: _Program | None = item.stash.get(_program_key, None)
    if program is None:
        program = item.stash[_program_key] = _Program(item)
    return program


def _is_ours(item: pytest.Function) -> bool:
    return item.get_closest_marker(_MARK) is not None or not _OUR_FIXTURES.isdisjoint(item.fixturenames)


def _uses_our_tests(module: object) -> bool:
    names = (getattr(value, "__module__", None) or getattr(value, "__name__", "") for value in vars(module).values())
    return any(str(name).startswith("rescind.testing") for name in names)


def _options_of(item: pytest.Item, names: frozenset[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers(_MARK))):
        unknown = mark.kwargs.keys() - _ENVIRONMENT_OPTIONS - _CLOCK_OPTIONS
        if unknown or mark.args:
            known = ", ".join(sorted(_ENVIRONMENT_OPTIONS | _CLOCK_OPTIONS))
            raise pytest.UsageError(
                f"@pytest.mark.rescind of {item.nodeid} has what it does not know: "
                f"{', '.join([*map(repr, mark.args), *sorted(unknown)])}. It knows: {known}."
            )
        options |= mark.kwargs
    return {name: value for name, value in options.items() if name in names}


def _coroutine_function(function: Any) -> Callable[..., Coroutine[Any, Any, Any]] | None:
    """The test itself. pytest-asyncio in auto mode has put a plain function round it by then."""
    for candidate in (function, getattr(function, "__wrapped__", None)):
        if inspect.iscoroutinefunction(candidate):
            return candidate
    return None


def _takes_self(function: Callable[..., Any]) -> bool:
    return next(iter(inspect.signature(function).parameters), None) == "self"


async def _next_of(generator: AsyncIterator[Any]) -> Any:
    return await anext(generator)


async def _finish(generator: AsyncIterator[Any]) -> None:
    try:
        await anext(generator)
    except StopAsyncIteration:
        return
    raise RuntimeError("an async fixture yielded twice; let it yield once.")
