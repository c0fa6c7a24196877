"""Waiting for what takes longer than half a minute on a loaded machine, and is asked of another process."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE = 120.0
EVERY = 0.5


async def before_long(look: Callable[[], Awaitable[bool]], what: str) -> None:
    """Look until something is so; fails, saying `what`, after two minutes."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not await look():  # noqa: ASYNC110 - it is another process that is asked
                await asyncio.sleep(EVERY)
    except TimeoutError:
        message = f"waited {PATIENCE:.0f} s in vain for {what}"
        raise AssertionError(message) from None
