"""`convoca up`: the whole system on this machine."""

import asyncio
from typing import Annotated

import typer

from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, answer, say, verb
from deploy.embedded.stack import keep_up

Port = Annotated[int, typer.Option("--port", metavar="N", help="The front door's port.", min=0, max=65535)]


app = verb()


@app.command()
def up(data: DataFolder = DEFAULT_FOLDER, port: Port = 8000) -> None:
    """Run PostgreSQL, a broker, a mail catcher, the services and their front door until Ctrl-C.

    Prints the URL when all is ready. A second start finds the data of the first.

    Example: convoca up --data /srv/convoca --port 8000
    """
    asyncio.run(keep_up(data, port, answer, say))
