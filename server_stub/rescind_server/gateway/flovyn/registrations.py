"""Which workers have registered, and what they run: a poll names the worker, and no kinds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec

from rescind.model.ids import Instant
from rescind_server.gateway.flovyn.ids import registered_id_of
from rescind_server.gateway.identity import Caller
from rescind_server.store.registrations import Capability, KeptRegistrations, Process, Registration

__all__ = ["LONGEST_ABSENCE", "Capability", "Process", "Registration", "Registrations"]

LONGEST_ABSENCE: Final = timedelta(days=30)
"""A worker that nobody has seen for longer is forgotten."""

_ABSENCE: Final = LONGEST_ABSENCE // timedelta(microseconds=1)
_MOST_PROCESSES: Final = 1_000
_WRITTEN_EVERY: Final = timedelta(hours=1) // timedelta(microseconds=1)


class Registrations:
    """The workers of all organisations: in memory, and in the store, from where a restart takes them."""

    def __init__(self, kept: KeptRegistrations, now: Instant) -> None:
        """Go on with what is kept.

        Args:
            kept: what keeps them.
            now: the time; workers that have not been seen for `LONGEST_ABSENCE` are left out.

        Raises:
            StoreError: they cannot be read.
        """
        self._kept = kept
        # When those were last looked for that nobody has seen for long.
        self._looked_at = now
        self._by_id = {
            (each.organisation, each.worker_id): each for each in kept.load() if each.seen_at >= now - _ABSENCE
        }
        # A poll names its worker, mostly by a name: to derive the id from it each time took longer than to find it.
        self._ids = {(each.organisation, each.name): each.worker_id for each in self._by_id.values()}
        # When each was last seen, as the store knows it: a sign of life is not worth a write.
        self._written_at = {key: each.seen_at for key, each in self._by_id.items()}

    async def register(self, caller: Caller, name: str, place: tuple[str, str], process: Process) -> Registration:
        """A worker has come, or come back: what this process runs takes the place of what it ran before.

        Args:
            caller: whose it is.
            name: what it calls itself.
            place: the host and the process id, in text.
            process: what it says of itself.

        Returns:
            The worker, as it is kept from now on.

        Raises:
            StoreError: nothing has changed.
        """
        at = process.registered_at
        worker_id = registered_id_of(caller, name)
        key = caller.organisation, worker_id
        before = self._by_id.get(key)
        known = before or Registration(caller.organisation, name, worker_id, at, at)
        processes = {other: each for other, each in known.processes.items() if other != place}
        # The oldest of very many processes is gone for long.
        while len(processes) >= _MOST_PROCESSES:
            del processes[next(iter(processes))]
        processes[place] = process
        registration = msgspec.structs.replace(known, seen_at=at, processes=processes)
        # Before the store has it, so that of two that come at once the second adds to what the first has said.
        self._by_id[key] = registration
        self._ids[caller.organisation, name] = worker_id
        try:
            await self._put(registration)
        except BaseException:
            if self._by_id.get(key) is registration:
                del self._by_id[key]
                if before is not None:
                    self._by_id[key] = before
            raise
        if at - self._looked_at >= _WRITTEN_EVERY:
            self._looked_at = at
            await self._forget_absent(at)
        return registration

    async def note_seen(self, registration: Registration, now: Instant) -> None:
        """A worker has shown that it lives. That is written down about once an hour."""
        registration.seen_at = now
        key = registration.organisation, registration.worker_id
        if now - self._written_at.get(key, now) >= _WRITTEN_EVERY:
            await self._put(registration)

    def known(self, caller: Caller, worker: str) -> Registration | None:
        """The registration that a worker calls under, by its name or its UUID; None if it has none."""
        found = self._by_id.get((caller.organisation, worker.lower()))
        if found is None:
            # A worker may be named with a UUID of its own choice.
            found = self._by_id.get((caller.organisation, self._ids.get((caller.organisation, worker), "")))
        return found

    def all_of(self, caller: Caller) -> Mapping[str, Registration]:
        """The workers of a caller's organisation, by their UUIDs."""
        return {
            worker_id: registration
            for (organisation, worker_id), registration in self._by_id.items()
            if organisation == caller.organisation
        }

    async def _put(self, registration: Registration) -> None:
        await self._kept.put(registration)
        self._written_at[registration.organisation, registration.worker_id] = registration.seen_at

    async def _forget_absent(self, now: Instant) -> None:
        seen_before = Instant(now - _ABSENCE)
        absent = [key for key, each in self._by_id.items() if each.seen_at < seen_before]
        for key in absent:
            gone = self._by_id.pop(key)
            self._ids.pop((gone.organisation, gone.name), None)
            self._written_at.pop(key, None)
        if absent:
            await self._kept.forget(seen_before)
