"""The embedded stack as one thing: started in order, its parts restarted when they die, stopped in order."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

from deploy.embedded import postgres, programs
from deploy.embedded.folder import CannotStart, Folder, FrontPort, Running
from deploy.embedded.forking import Forkserver
from deploy.embedded.leftovers import end_leftovers
from deploy.embedded.processes import Child, Program, is_ready, listens
from shared.events.topics import SERVICES

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
"""Seconds before a part that died is started again: doubled from the first to the longest."""
STEADY = 30.0
"""Seconds that a part must live for the pause to be short again."""
POLITE = 16.0
"""Seconds of a stop in which parts may finish; what then still runs is ended."""
SHOWN = ("postgres", "broker", "front", *SERVICES)
"""The parts whose processes others are told of: those that a deployment has, too."""
Say = Callable[[str], None]
Probe = Callable[[], Awaitable[bool]]


class Stack:
    """One embedded stack: `start()`, then `stop()` whatever happened; `say` hears of what dies."""

    addresses: programs.Addresses
    cluster: postgres.Cluster

    def __init__(self, root: Path, port: int, say: Say) -> None:
        """Take a folder and the front door's port (0: any)."""
        self.folder = Folder(root)
        self.stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._wanted_port = port
        self._say = say
        self._front_port: FrontPort | None = None
        self._children: dict[str, Child] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._ready = False

    def ask_to_stop(self) -> None:
        """Ask for a stop; asked again, for a hasty one."""
        if self.stopping.is_set():
            self._hurry.set()
        self.stopping.set()

    async def start(self) -> None:
        """Start all and wait until all is ready; raises CannotStart with one line where that cannot be."""
        self.folder.lock()
        self.folder.hide()
        self._front_port = FrontPort(self._wanted_port)
        await asyncio.to_thread(end_leftovers, self.folder.remembered(), self.folder.postgres)
        secrets = self.folder.secrets()
        self.addresses = programs.Addresses(self._front_port.number, self.folder.ports(programs.PORTS))
        account = postgres.account()
        if account:
            for opened in postgres.let_pass(account, self.folder):
                self._say(f"{opened} was opened for passage (chmod o+x): PostgreSQL does not run as root")
        self.cluster = postgres.Cluster(self.folder.postgres, self.addresses.ports["postgres"], secrets, account)
        forkserver = Forkserver(programs.surroundings({}), self.folder)
        self._children[forkserver.child.name] = forkserver.child
        preparation = self._forked(programs.preparation(self.addresses, self.folder, self.cluster.urls()), forkserver)
        catcher = self._forked(programs.mailcatcher(self.addresses, self.folder), forkserver)
        known = programs.services(self.addresses, self.folder, secrets, self.cluster.urls())
        services = [self._forked(each, forkserver) for each in known]
        await _together(
            self._start_postgres(),
            self._load(forkserver, preparation, *services, catcher),
            self._run(programs.broker(self.addresses), self._broker_listens),
            self._run(programs.front(self.addresses, self.folder), lambda: listens(self.addresses.front)),
        )
        await self._prepare(preparation)
        mailbox = self.addresses.ports["mailbox"]
        await _together(
            *(self._start(each, self._serves(each.name)) for each in services),
            self._start(catcher, lambda: is_ready(mailbox, "/mailbox")),
            postgres.settled(),
        )
        for child in (*services, catcher, *(self._children[name] for name in ("broker", "front", "postgres"))):
            self._watch(child)
        self._ready = True
        self._note()

    async def stop(self) -> None:
        """Stop what runs, the front door first and PostgreSQL last, within twenty seconds."""
        if not self.folder.ours:
            return  # it is another's
        self._ready = False
        self.folder.hide()
        enough = asyncio.get_running_loop().call_later(POLITE, self._hurry.set)
        for watch in self._watches.values():
            watch.cancel()
        await asyncio.gather(*self._watches.values(), return_exceptions=True)
        for names in (("front", "preparation"), SERVICES, ("mailcatcher",), ("forkserver", "broker"), ("postgres",)):
            stops = (self._children[name].stop(self._hurry) for name in names if name in self._children)
            await asyncio.gather(*stops)
        enough.cancel()
        if self._children:
            self._note()
        if self._front_port:
            self._front_port.release()
        self.folder.unlock()

    async def _start_postgres(self) -> None:
        await self.cluster.make()
        await self._run(self.cluster.program(), self.cluster.accepts)
        await self.cluster.provide()

    async def _load(self, forkserver: Forkserver, *children: Child) -> None:
        await forkserver.start()
        self._note()
        for child in children:
            await child.load()

    async def _prepare(self, preparation: Child) -> None:
        await preparation.start()
        if await preparation.ended():
            message = f"databases and topics were not made: {preparation.last_words()} ({preparation.log})"
            raise CannotStart(message)

    async def _broker_listens(self) -> bool:
        return await listens(self.addresses.ports["broker"])

    def _serves(self, service: str) -> Probe:
        return lambda: is_ready(self.addresses.ports[service], f"/api/{service}/health/ready")

    def _forked(self, program: Program, forkserver: Forkserver) -> Child:
        child = self._children[program.name] = Child(program, self.folder.logs, forkserver.fork)
        return child

    async def _run(self, program: Program, probe: Probe) -> None:
        child = self._children[program.name] = Child(program, self.folder.logs)
        await self._start(child, probe)

    async def _start(self, child: Child, probe: Probe) -> None:
        await child.start()
        self._note()
        await child.becomes_ready(probe)

    def _watch(self, child: Child) -> None:
        self._watches[child.name] = asyncio.create_task(self._keep_alive(child))

    async def _keep_alive(self, child: Child) -> None:
        """Start a part again whenever it dies."""
        pause = FIRST_PAUSE
        while True:
            born = time.monotonic()
            code = await child.ended()
            if time.monotonic() - born > STEADY:
                pause = FIRST_PAUSE
            self._say(f"{child.name} ended ({_how(code)}) and is started again; see {child.log}")
            if child.name == "broker":
                await self._stop_services()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            try:
                await child.start()
            except CannotStart as error:
                self._say(str(error))
            self._note()
            if child.name == "broker":
                await self._refill(child)

    async def _stop_services(self) -> None:
        """Stop them before there is a new broker, whose memory is empty.

        One that reads on would wait for records behind a place that its stream has not reached yet, and pass over those
        before it; one that sends would make a topic that is not as it should be.
        """
        for service in SERVICES:
            if service in self._watches:
                self._watches.pop(service).cancel()
        await asyncio.gather(*(self._children[service].stop(self._hurry) for service in SERVICES))

    async def _refill(self, broker: Child) -> None:
        """Give a new broker its topics, and start the services, which send what they hold."""
        from deploy import prepare  # noqa: PLC0415

        try:
            await broker.becomes_ready(self._broker_listens, seconds=10)
            await prepare.make_topics(prepare.plain_kafka(self.addresses.of("broker")), self.cluster.urls())
        except (CannotStart, *prepare.UNREACHABLE) as error:
            self._say(f"the broker's topics could not be made ({type(error).__name__})")
        await asyncio.gather(*(self._start_again(self._children[service]) for service in SERVICES))
        self._note()

    async def _start_again(self, child: Child) -> None:
        with contextlib.suppress(CannotStart):
            await child.start()
        self._watch(child)

    def _note(self) -> None:
        """Keep on disk what runs; others are shown it only once all was ready."""
        alive = [child for child in self._children.values() if child.running]
        self.folder.remember({child.name: mark for child in alive if (mark := child.mark())})
        if self._ready:
            running = Running(
                url=self.addresses.url,
                kafka=self.addresses.of("broker"),
                smtp=self.addresses.of("smtp"),
                pid=os.getpid(),
                processes={name: self._children[name].pid for name in SHOWN},
                databases=self.cluster.urls(),
            )
            self.folder.show(running)


async def keep_up(root: Path, port: int, ready: Say, say: Say) -> None:
    """Run a stack until SIGINT or SIGTERM; `ready` hears its URL. Raises CannotStart, and leaves nothing."""
    stack = Stack(root, port, say)
    hear_signals(stack)
    try:
        if await unless(stack.stopping, stack.start()):
            ready(stack.addresses.url)
            await stack.stopping.wait()
    finally:
        await stack.stop()


def hear_signals(stack: Stack) -> None:
    """Have SIGINT and SIGTERM ask the stack to stop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stack.ask_to_stop)


async def unless(stopping: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Do `work` until `stopping` is set; tells whether it was done."""
    task, asked = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    await asyncio.wait((task, asked), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, CannotStart):
            await task
        return False
    await task
    return True


async def _together(*works: Coroutine[None, None, None]) -> None:
    """Do all at once; where one fails the others are given up, and its error is raised as it is."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit {code}"
