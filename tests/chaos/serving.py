"""A service as it is, on a clock that somebody outside can set: `python -m tests.chaos.serving SERVICE CLOCK`.

The clock is what every service is built with; this one goes wrong by the seconds that stand in the file.
"""

import os
import struct
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path

from fastapi import FastAPI

from shared.runtime import Clock, serve, utc_now
from shared.settings import ServiceSettings

ERROR = struct.Struct("<d")
SETTINGS = {
    "catalogue": ("shared.settings", "ServiceSettings"),
    "registration": ("services.registration.settings", "RegistrationSettings"),
    "notifications": ("services.notifications.settings", "Settings"),
}


def set_wrong(clock: Path, seconds: float) -> None:
    """Have whoever goes by `clock` be wrong by so many seconds from now on."""
    descriptor = os.open(clock, os.O_WRONLY | os.O_CREAT, 0o600)
    os.pwrite(descriptor, ERROR.pack(seconds), 0)
    os.close(descriptor)


def going_by(clock: Path) -> Clock:
    """Give the clock that is wrong by what stands in the file."""
    descriptor = os.open(clock, os.O_RDONLY)

    def now() -> datetime:
        (seconds,) = ERROR.unpack(os.pread(descriptor, ERROR.size, 0))
        return utc_now() + timedelta(seconds=seconds)

    return now


def main() -> None:
    """Run the service until it is told to stop, or killed."""
    service, clock = sys.argv[1:]
    module, name = SETTINGS[service]  # only what this service needs is loaded
    settings: type[ServiceSettings] = getattr(import_module(module), name)
    build: Callable[..., FastAPI] = import_module(f"services.{service}.app").build
    serve(service, settings, partial(build, clock=going_by(Path(clock))))


if __name__ == "__main__":
    main()
