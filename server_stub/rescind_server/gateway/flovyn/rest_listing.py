"""Lists by limit and offset, out of pages that are told apart by tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

ItemT = TypeVar("ItemT")
NextPage = Callable[[int, str], Awaitable[tuple[Sequence[ItemT], str]]]
"""Reads a page: so many behind a token ("" is the beginning). Returns it with the next token; "" ends."""

_STEP: Final = 1_000


async def part_of(read: NextPage[ItemT], limit: int, offset: int) -> Sequence[ItemT]:
    """What stands behind the first `offset` of a list, `limit` of it at the most.

    What is passed over is read, too: pages far behind the beginning are for people, not for programs.
    """
    token = ""
    to_pass = offset
    found: list[ItemT] = []
    while len(found) < limit:
        # A page may be shorter than was asked for, and not the last.
        page, token = await read(min(_STEP, to_pass + limit - len(found)), token)
        found += page[to_pass:]
        to_pass = max(0, to_pass - len(page))
        if not token:
            break
    return found


async def count_of(read: NextPage[ItemT]) -> int:
    """How long a list is."""
    page, token = await read(_STEP, "")
    count = len(page)
    while token:
        page, token = await read(_STEP, token)
        count += len(page)
    return count
