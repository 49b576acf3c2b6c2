"""`rescind worker --temporal`: a worker on a cluster, and how it is tuned."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import click
from click.core import ParameterSource

from rescind.cli.definitions import Definitions
from rescind.cli.options import CommandT
from rescind.cli.refusals import EXIT_BAD_INPUT, Refused
from rescind.cli.temporal import Cluster, temporal_extra_needed
from rescind.model.messages import DEFAULT_AGENT_SLOTS

if TYPE_CHECKING:
    from temporalio.client import Client

    from rescind.temporal import TemporalWorker

_PINNED: Final = "pinned"
_AUTO_UPGRADE: Final = "auto-upgrade"


class Tuning(NamedTuple):
    """How a worker on a cluster works.

    Attributes:
        cancel_within: how long a cancel may take to reach running code, in seconds.
        lease: how long an attempt's worker may be silent, in seconds.
        shutdown_grace: how long attempts may go on when the worker stops, in seconds; None is for as long as they take.
        agent_pollers: how many polls for agents' turns it keeps open; None leaves that to Temporal.
        task_pollers: how many polls for attempts it keeps open; likewise.
        deployment: the name of its deployment; None does without versions.
        build_id: the version of its code.
        versioning: what becomes of an agent when another version comes: ``pinned`` or ``auto-upgrade``.
    """

    cancel_within: float = 1.0
    lease: float = 10.0
    shutdown_grace: float | None = None
    agent_pollers: int | None = None
    task_pollers: int | None = None
    deployment: str | None = None
    build_id: str | None = None
    versioning: str = _PINNED


_OPTIONS: Final[tuple[Callable[[Any], Any], ...]] = (
    click.option(
        "--cancel-within",
        type=click.FloatRange(min=0.1),
        default=1.0,
        show_default=True,
        metavar="SECONDS",
        help="With --temporal: how long a cancel may take to reach running code: 0.1 or more. Each attempt gives a "
        "sign of life twice in that time, unless the cluster sends cancels by itself.",
    ),
    click.option(
        "--lease",
        type=click.FloatRange(min=1),
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="With --temporal: how long a worker may be silent before its attempts are tried elsewhere.",
    ),
    click.option(
        "--shutdown-grace",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="With --temporal: how long what runs may go on when the worker stops; else for as long as it takes.",
    ),
    click.option(
        "--agent-pollers",
        type=click.IntRange(min=2),
        metavar="N",
        help="With --temporal: polls for agents' turns that it keeps open; else as Temporal chooses.",
    ),
    click.option(
        "--task-pollers",
        type=click.IntRange(min=1),
        metavar="N",
        help="With --temporal: polls for attempts that it keeps open; else as Temporal chooses.",
    ),
    click.option(
        "--deployment",
        metavar="NAME",
        help="With --temporal: the worker deployment that it belongs to; --build-id goes with it.",
    ),
    click.option(
        "--build-id", metavar="ID", help="With --temporal: the version of its code, as the hash of the commit."
    ),
    click.option(
        "--versioning",
        type=click.Choice([_PINNED, _AUTO_UPGRADE]),
        default=_PINNED,
        show_default=True,
        help="With --deployment: an agent stays with the version that began it, or goes on with the current one.",
    ),
)


def tuning_options(command: CommandT) -> CommandT:
    """The options of `Tuning`; the command gets them as `tuning`."""

    @functools.wraps(command)
    def with_tuning(*arguments: Any, **options: Any) -> Any:
        tuning = Tuning(**{name: options.pop(name) for name in Tuning._fields})
        return command(*arguments, tuning=tuning, **options)

    decorated: Any = with_tuning
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return cast(CommandT, decorated)


def check_tuning(tuning: Tuning, cluster: Cluster | None) -> None:
    """Refuse what does not go together: Refused."""
    context = click.get_current_context()
    typed = [name for name in Tuning._fields if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if cluster is None and typed:
        raise Refused(f"--{typed[0].replace('_', '-')} goes with --temporal.", EXIT_BAD_INPUT)
    if (tuning.deployment is None) != (tuning.build_id is None):
        raise Refused("--deployment and --build-id go together: give both, or neither.", EXIT_BAD_INPUT)
    if "versioning" in typed and tuning.deployment is None:
        raise Refused("--versioning goes with --deployment.", EXIT_BAD_INPUT)


async def work_on_cluster(
    cluster: Cluster,
    found: Definitions,
    queues: Sequence[str],
    slots: int | None,
    agent_slots: int | None,
    tuning: Tuning,
    told: asyncio.Event,
    tell_working: Callable[[Client], None],
    before_stop: Callable[[], None],
) -> None:
    """Work until told to stop, then let what runs end.

    Args:
        cluster: whom to work for.
        found: what it can run.
        queues: its task queues.
        slots: how many attempts it runs at once; None is the default.
        agent_slots: how many agents it keeps in memory; likewise.
        tuning: how it works.
        told: when this is set, it stops.
        tell_working: called when it polls.
        before_stop: called when it begins to stop.

    Raises:
        Refused: Temporal's SDK is not installed.
        RescindError: the cluster is not there, or does not let it in.
    """
    with temporal_extra_needed():
        from rescind.temporal.connecting import connect  # noqa: PLC0415 - others start without Temporal's SDK

    client = await connect(cluster.address, cluster.namespace, **cluster.connect_options())
    async with _worker(client, found, queues, slots, agent_slots, tuning):
        tell_working(client)
        await told.wait()
        before_stop()


def _worker(
    client: Client,
    found: Definitions,
    queues: Sequence[str],
    slots: int | None,
    agent_slots: int | None,
    tuning: Tuning,
) -> TemporalWorker:
    from rescind.temporal.worker import DEFAULT_SLOTS, TemporalWorker  # noqa: PLC0415 - as above

    grace = tuning.shutdown_grace
    return TemporalWorker(
        client=client,
        agents=found.agents,
        tasks=found.tasks,
        workflows=found.workflows,
        queues=queues,
        slots=DEFAULT_SLOTS if slots is None else slots,
        agent_slots=DEFAULT_AGENT_SLOTS if agent_slots is None else agent_slots,
        cancel_within_ms=round(tuning.cancel_within * 1_000),
        lease_ms=round(tuning.lease * 1_000),
        shutdown_grace_ms=None if grace is None else round(grace * 1_000),
        temporal_options=_temporal_options(tuning),
    )


def _temporal_options(tuning: Tuning) -> dict[str, Any]:
    from temporalio.common import VersioningBehavior, WorkerDeploymentVersion  # noqa: PLC0415 - as above
    from temporalio.worker import PollerBehaviorSimpleMaximum, WorkerDeploymentConfig  # noqa: PLC0415

    options: dict[str, Any] = {}
    if tuning.agent_pollers is not None:
        options["workflow_task_poller_behavior"] = PollerBehaviorSimpleMaximum(tuning.agent_pollers)
    if tuning.task_pollers is not None:
        options["activity_task_poller_behavior"] = PollerBehaviorSimpleMaximum(tuning.task_pollers)
    if tuning.deployment is not None and tuning.build_id is not None:
        is_pinned = tuning.versioning == _PINNED
        options["deployment_config"] = WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(tuning.deployment, tuning.build_id),
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.PINNED if is_pinned else VersioningBehavior.AUTO_UPGRADE,
        )
    return options
