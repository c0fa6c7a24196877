"""The cable between the services and what they stand on: it carries, it can be cut, and it can go dead."""

import asyncio
import contextlib

from deploy.embedded.folder import LOOPBACK

PIECE = 65_536


class Wire:
    """Carries TCP connections from a port of the loopback to another; the services know only the first."""

    def __init__(self, port: int, to: int) -> None:
        """Take the port to listen on, and that of the real part."""
        self.port = port
        self._to = to
        self._alive = asyncio.Event()
        self._alive.set()
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()

    async def lay(self) -> None:
        """Begin to carry."""
        self._server = await asyncio.start_server(self._connect, LOOPBACK, self.port)

    def cut(self) -> int:
        """Break every connection at once, as by a reset; answers how many ends that were."""
        ends = list(self._ends)
        for end in ends:
            end.transport.abort()
        return len(ends)

    def die(self) -> None:
        """Carry nothing any more, while every connection seems to stand."""
        self._alive.clear()

    def revive(self) -> None:
        """Carry again, beginning with what has gathered meanwhile."""
        self._alive.set()

    async def remove(self) -> None:
        """Break everything and listen no more."""
        self.revive()
        if self._server is not None:
            self._server.close()
        self.cut()
        for each in self._carrying:
            each.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        try:
            await self._alive.wait()
            there, onward = await asyncio.open_connection(LOOPBACK, self._to)
        except OSError:
            writer.transport.abort()
            self._ends.discard(writer)
            return
        self._ends.add(onward)
        ways = [asyncio.create_task(self._carry(*way)) for way in ((reader, onward), (there, writer))]
        self._carrying.update(ways)
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, onward):
            end.transport.abort()
            self._ends.discard(end)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        self._carrying.difference_update(ways)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE):
                await self._alive.wait()
                writer.write(piece)
                await writer.drain()
            await asyncio.wait_for(_flushed(writer), 1)


async def _flushed(writer: asyncio.StreamWriter) -> None:
    """Let what the other side said last arrive before its connection is closed."""
    while writer.transport.get_write_buffer_size():  # noqa: ASYNC110 - a transport tells nobody when it is empty
        await asyncio.sleep(0.001)
