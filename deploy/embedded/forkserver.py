"""The process that the services come from: it loads once what its arguments name, and forks into each of them.

Orders come as lines of JSON on the socket that is its standard input, where it answers, too. `{"fork": {...}}` makes a
process, which loads what is its own and waits; the answer is `{"forked": pid}`, each in its turn. `{"go": pid}` lets it
be its program. `{"ended": pid, "code": n}` tells that it has ended. Where the orders end, this process and its
forks do.
"""

import gc
import json
import os
import runpy
import signal
import sys
from importlib import import_module
from typing import Any

from setproctitle import setproctitle

from deploy.embedded.orphans import dies_with_us


def main() -> None:
    """Load, and do as ordered until there are no more orders; in a fork, be what was ordered."""
    gc.disable()  # of what is loaded nothing is garbage
    for module in sys.argv[1:]:
        import_module(module)
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGCHLD, lambda *_: _tell_who_ended())
    gates: dict[int, int] = {}
    for line in sys.stdin.buffer:
        order = json.loads(line)
        if "go" in order:
            os.close(gates.pop(order["go"]))
            continue
        wanted = order["fork"]
        when_we_are_gone = dies_with_us(signal.Signals(wanted["orphaned"]))
        gate, opens = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])  # nobody is told of its end before its beginning
        pid = os.fork()
        if not pid:
            if when_we_are_gone:
                when_we_are_gone()
            _stand_apart(wanted, (opens, *gates.values()))
            _become(wanted, gate)
            return
        _say({"forked": pid})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        os.close(gate)
        gates[pid] = opens


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


def _stand_apart(wanted: dict[str, Any], not_ours: tuple[int, ...]) -> None:
    """Have nothing of the forkserver's but what it has loaded."""
    setproctitle(" ".join((sys.executable, "-m", wanted["module"], *wanted["arguments"])))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor, place in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, place)
    for descriptor in (nothing, log, *not_ours):
        os.close(descriptor)
    if wanted["folder"]:
        os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environment"])


def _become(wanted: dict[str, Any], gate: int) -> None:
    """Load what may be ahead, wait until the gate opens, and run the program as if it had been started by itself."""
    if wanted["ahead"]:
        import_module(wanted["ahead"])
    os.read(gate, 1)
    os.close(gate)
    sys.argv[:] = [wanted["module"], *wanted["arguments"]]
    runpy.run_module(wanted["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
