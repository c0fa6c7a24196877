"""The command's verbs put together, and what is said when one fails."""

import sys
from importlib import import_module

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
}
"""Where each verb is: a module with its `app`."""


def main() -> None:
    """Be the `convoca` command."""
    app = group(None, "Workshops, enrolments and who is told: run the services and look after them.")
    named = sys.argv[1] if len(sys.argv) > 1 else ""
    # One that is named first is loaded alone: what others need takes a second, and `up` has none to lose.
    for name in [named] if named in VERBS else VERBS:
        app.add_typer(import_module(VERBS[name]).app)
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


def _unreachable(error: Exception) -> bool:
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - as above

    from deploy.prepare import UNREACHABLE  # noqa: PLC0415

    return isinstance(error, (SQLAlchemyError, *UNREACHABLE))
