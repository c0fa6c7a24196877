"""What becomes of a process whose parent is gone."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable


def dies_with_us(number: signal.Signals) -> Callable[[], None] | None:
    """Give what our child calls first, to have Linux send it a signal when we are gone; None elsewhere.

    There a later start ends what is left.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(1, int(number))  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # gone in between
            os._exit(1)

    return ask
