"""Waiting for what must come about, however long a loaded machine takes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 30.0
EVERY = 0.02


async def eventually(look: Callable[[], Awaitable[T]], what: str) -> T:
    """Look until there is something true to see, and answer it; fails, saying `what`, after half a minute."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not (seen := await look()):  # noqa: ASYNC110 - what is waited for may be in another process
                await asyncio.sleep(EVERY)
    except TimeoutError:
        message = f"waited {PATIENCE:.0f} s in vain for {what}"
        raise AssertionError(message) from None
    return seen
