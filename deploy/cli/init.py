"""`convoca init`: what a deployment by docker-compose.yml needs before its first start."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from pydantic import EmailStr, TypeAdapter, ValidationError

from deploy.cli.terminal import say, verb
from deploy.compose.making import Wishes, make
from services.notifications.settings import SmtpServer

app = verb()


class Tls(StrEnum):
    """Who proves that the site is ours."""

    NAME = "name"
    FILES = "files"
    INTERNAL = "internal"
    OFF = "off"


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise typer.BadParameter("give the site's address, as https://convoca.example.org")
    return text.rstrip("/")


def _smtp(text: str | None) -> str | None:
    try:
        if text is not None:
            SmtpServer.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return text


def _mail(text: str) -> str:
    try:
        return str(TypeAdapter(EmailStr).validate_python(text))
    except ValidationError as error:
        raise typer.BadParameter("is no address of a mailbox") from error


Folder = Annotated[Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="Where it is to be.")]
Url = Annotated[str, typer.Option("--url", callback=_url, help="Where people will find it.")]
Certificate = Annotated[
    Tls,
    typer.Option(
        "--tls",
        help="For an https address: name, a certificate fetched by itself; files, your own in certificates/; internal, "
        "one that browsers do not know; off, behind a proxy of yours that has one.",
    ),
]
Name = Annotated[str, typer.Option("--office", help="The office's name.")]
Mail = Annotated[str, typer.Option("--mail", callback=_mail, help="Its address, from which mails come.")]
Smtp = Annotated[
    str | None,
    typer.Option(
        "--smtp",
        metavar="URL",
        callback=_smtp,
        envvar="CONVOCA_SMTP_URL",
        help="The relay: smtp://, smtp+starttls:// or smtps://user:word@host:port; without it a mail catcher runs.",
    ),
]


@app.command()
def init(
    folder: Folder,
    url: Url = "http://localhost:8000",
    tls: Certificate = Tls.NAME,
    office: Name = "Convoca",
    mail: Mail = "convoca@example.org",
    smtp: Smtp = None,
) -> None:
    """Make settings and secrets of a deployment by docker compose in DIR, once: nothing is ever overwritten.

    Example: convoca init . --url https://convoca.example.org --smtp smtp+starttls://user:word@relay.example.org
    """
    made = make(folder, Wishes(url, tls.value, office, mail, smtp))
    if smtp is None:
        say(f"no relay is named: a mail catcher takes all mails and shows them to everybody at {url}/mailbox; see .env")
    say(f"made: {', '.join(path.name for path in made)}; read .env and office.yaml, then: docker compose up -d --wait")
