"""A wire between clients and a server, which a test can cut, or hold so that nothing passes and nobody is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

HOST = "127.0.0.1"
PIECE = 65_536


class Wire:
    """Listens at `port` and passes on to `target`, a port of this machine too; `heard` is told all that passes."""

    def __init__(self, target: int, port: int = 0, heard: Callable[[bytes], object] | None = None) -> None:
        self.port = port
        self._heard = heard
        self._target = target
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()

    async def mend(self) -> None:
        """Let everything pass (again)."""
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._join, HOST, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End all connections, and take no new ones."""
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
        for end in list(self._ends):
            end.transport.abort()
        self._flows.set()

    async def hold(self) -> None:
        """Let nothing pass any more; connections stay open, and new ones are taken."""
        self._flows.clear()

    async def _join(self, reads: asyncio.StreamReader, writes: asyncio.StreamWriter) -> None:
        try:
            far_reads, far_writes = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writes.transport.abort()
            return
        ends = {writes, far_writes}
        self._ends |= ends
        try:
            await asyncio.gather(self._pass_on(reads, far_writes), self._pass_on(far_reads, writes))
        finally:
            self._ends -= ends

    async def _pass_on(self, reads: asyncio.StreamReader, writes: asyncio.StreamWriter) -> None:
        try:
            while piece := await reads.read(PIECE):
                await self._flows.wait()
                if self._heard is not None:
                    self._heard(piece)
                writes.write(piece)
                await writes.drain()
        except OSError:
            pass
        finally:
            writes.transport.abort() if writes.is_closing() else writes.close()


@asynccontextmanager
async def wire_to(target: int, port: int = 0) -> AsyncIterator[Wire]:
    """Lay a wire, for as long as the block lasts."""
    wire = Wire(target, port)
    await wire.mend()
    try:
        yield wire
    finally:
        await wire.cut()
