"""A service that is loaded and then waits for word: what it waits for is made while it loads."""

import gc
import runpy
import sys
from importlib import import_module


def main() -> None:
    """Load the service that the argument names; run it once a line comes, end where none can come any more."""
    service = sys.argv[1]
    gc.disable()  # of what is loaded nothing is garbage
    import_module(f"{service}.app")
    gc.enable()
    if not sys.stdin.readline():
        raise SystemExit(1)
    sys.argv[:] = [service]
    runpy.run_module(service, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
