"""Who asks. Where nobody has to prove who they are, everybody is whom they say they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from rescind.model.commands import DEFAULT_ORGANISATION


class Caller(msgspec.Struct, frozen=True):
    """Who makes a call.

    Attributes:
        organisation: whose executions it may see.
        by: what is written into histories; None takes what the request says.
    """

    organisation: str = DEFAULT_ORGANISATION
    by: str | None = None

    def name_for(self, said: str) -> str:
        """The name that histories get: the proven one, else what the request says, else ``client:unknown``."""
        return self.by or said or "client:unknown"


Identify = Callable[[Mapping[str, str]], Caller]
"""Tells from a call's metadata who makes it. Raises NotPermitted."""

ANYBODY: Final = Caller()


def take_everybody(_: Mapping[str, str]) -> Caller:
    """An `Identify` that asks for no proof."""
    return ANYBODY
