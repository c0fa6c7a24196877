"""The `convoca` command: one verb a module; what machines read goes to stdout, the rest to stderr."""

from deploy.cli.command import main

__all__ = ["main"]
