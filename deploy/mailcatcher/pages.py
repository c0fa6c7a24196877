"""The HTTP side: the mails as a list of JSON, and as pages on which a person reads them."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from deploy.mailcatcher.reading import Mail, Mailbox
from deploy.mailcatcher.store import unstamp

A_PAGE = 50
SHOWN_AS_SENT = {
    # The mail's own HTML may show pictures within it and nothing else: no script, nothing from elsewhere.
    "Content-Security-Policy": (
        "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation; "
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    ),
    "Referrer-Policy": "no-referrer",
}
OWN_PAGE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'"}


def application(mailbox: Mailbox) -> Starlette:
    """Make the app that shows `mailbox`."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True
    )
    templates.filters["time"] = _time

    def page(name: str, **context: object) -> HTMLResponse:
        return HTMLResponse(templates.get_template(name).render(**context), headers=OWN_PAGE)

    def found(request: Request) -> Mail:
        try:
            return mailbox.mail(int(request.path_params["n"]))
        except KeyError as error:
            raise HTTPException(404, "There is no such mail.") from error

    def every(request: Request) -> Response:
        after = _number(request, "after", 0)
        return StreamingResponse(_json(mailbox, after), media_type="application/json")

    def newest(request: Request) -> Response:
        last = mailbox.store.last
        upto = min(_number(request, "upto", last), last)
        wanted = [number for number in mailbox.store.numbers(upto - A_PAGE) if number <= upto]
        mails = [mailbox.mail(number) for number in reversed(wanted)]
        return page("mailbox.html", mails=mails, last=last, upto=upto, older=max(upto - A_PAGE, 0), step=A_PAGE)

    def one(request: Request) -> Response:
        return page("mail.html", mail=found(request), last=mailbox.store.last)

    def html(request: Request) -> Response:
        return HTMLResponse(found(request).html or "", headers=SHOWN_AS_SENT)

    def as_sent(request: Request) -> Response:
        _, _, content = unstamp(mailbox.store.read(found(request).n))
        return PlainTextResponse(content, headers={"X-Content-Type-Options": "nosniff"})

    return Starlette(
        routes=[
            Route("/mailbox", newest),
            Route("/mailbox.json", every),
            Route("/mailbox/{n:int}", one),
            Route("/mailbox/{n:int}/html", html),
            Route("/mailbox/{n:int}/source", as_sent),
        ]
    )


def _json(mailbox: Mailbox, after: int) -> Iterator[str]:
    """Write the list mail by mail, so that a large one is never whole in memory."""
    between = "["
    for number in mailbox.store.numbers(after):
        yield between + json.dumps(asdict(mailbox.mail(number)), ensure_ascii=False)
        between = ",\n"
    yield "]" if between != "[" else "[]"


def _number(request: Request, name: str, default: int) -> int:
    value = request.query_params.get(name)
    if value is None:
        return default
    if not value.isdecimal() or len(value) > 18:  # noqa: PLR2004 - what a 64-bit number holds
        raise HTTPException(400, f"{name} is a number from 0 on.")
    return int(value)


def _time(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M:%S}"
