"""The command's verbs put together."""

import typer

from deploy.cli import stack

app = typer.Typer(
    name="convoca",
    help="Workshops, enrolments and who is told: run the services and look after them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
stack.add_to(app)


def main() -> None:
    """Be the `convoca` command."""
    app()
