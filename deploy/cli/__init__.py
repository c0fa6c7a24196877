"""The `convoca` command: one verb a module; what machines read goes to stdout, the rest to stderr."""

INTERRUPTED = 130
"""What shells hear of a command that Ctrl-C has ended."""


def main() -> None:
    """Be the `convoca` command; Ctrl-C ends it without a traceback, while it is being loaded too."""
    try:
        from deploy.cli import command  # noqa: PLC0415 - it takes most of a second

        command.main()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
