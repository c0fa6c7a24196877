"""The process that the services come from: it loads once what they are made of, and forks into each of them.

Orders come as lines of JSON on the socket that is its standard input, and are answered there: `{"forked": pid}` to
each in its turn, and `{"ended": pid, "code": n}` when a process has ended. Where the socket ends it ends, and all that
it has forked with it.
"""

import gc
import json
import os
import runpy
import signal
import sys
from importlib import import_module

from setproctitle import setproctitle

from deploy.embedded.orphans import dies_with_us

LOADED = "shared.runtime"
"""What most of a start is spent on. It begins no thread, which a fork would lose, and has nothing of one service."""


def main() -> None:
    """Load, and fork at each order, until there are no more; in a fork, be what was ordered."""
    gc.disable()  # of what is loaded nothing is garbage
    import_module(LOADED)
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGCHLD, lambda *_: _tell_who_ended())
    for line in sys.stdin.buffer:
        order = json.loads(line)
        before_all = dies_with_us(signal.Signals(order["orphaned"]))
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])  # it is told of before its end is
        if not (pid := os.fork()):
            if before_all:
                before_all()
            break
        _say({"forked": pid})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    else:
        return
    _stand_apart(order["log"], order["folder"], order["environment"])
    _become(order["module"], order["arguments"])


def _tell_who_ended() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _say(told: dict[str, int]) -> None:
    os.write(0, json.dumps(told).encode() + b"\n")


def _stand_apart(log: str, folder: str, environment: dict[str, str]) -> None:
    """Have nothing of the forkserver's but what it has loaded."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    os.setsid()
    nothing, written = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor, place in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(descriptor, place)
    os.close(nothing)
    os.close(written)
    if folder:
        os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)


def _become(module: str, arguments: list[str]) -> None:
    setproctitle(" ".join((sys.executable, "-m", module, *arguments)))
    sys.argv[:] = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
