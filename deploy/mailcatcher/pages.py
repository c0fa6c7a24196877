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
from shared.web.i18n import LANGUAGES, NAMES, Catalogues, Translator, choose_language

HERE = Path(__file__).parent
A_PAGE = 50
COOKIE = "convoca_language"
"""The one that the services keep the visitor's language in."""
SHOWN_AS_SENT = {
    # The mail's own HTML may show pictures within it and nothing else: no script, nothing from elsewhere.
    "Content-Security-Policy": (
        "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation; "
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    ),
    "Referrer-Policy": "no-referrer",
}
OWN_PAGE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'"}


class Views:
    """What each address answers."""

    def __init__(self, mailbox: Mailbox) -> None:
        """Show `mailbox`."""
        self._mailbox = mailbox
        catalogues = Catalogues.load(HERE)
        self._voices = {language: _templates(catalogues.translator(language)) for language in LANGUAGES}

    def every(self, request: Request) -> Response:
        """List the mails after a number, oldest first."""
        after = _number(request, "after", 0)
        return StreamingResponse(_json(self._mailbox, after), media_type="application/json")

    def newest(self, request: Request) -> Response:
        """Show a page of the list, newest first."""
        last = self._mailbox.store.last
        upto = min(_number(request, "upto", last), last)
        wanted = [number for number in self._mailbox.store.numbers(upto - A_PAGE) if number <= upto]
        mails = [self._mailbox.mail(number) for number in reversed(wanted)]
        older = max(upto - A_PAGE, 0)
        return self._page(request, "mailbox.html", mails=mails, last=last, upto=upto, older=older, step=A_PAGE)

    def one(self, request: Request) -> Response:
        """Show a mail."""
        return self._page(request, "mail.html", mail=self._found(request), last=self._mailbox.store.last)

    def html(self, request: Request) -> Response:
        """Give a mail's own HTML, which can do nothing."""
        return HTMLResponse(self._found(request).html or "", headers=SHOWN_AS_SENT)

    def source(self, request: Request) -> Response:
        """Give a mail as it came."""
        _, _, content = unstamp(self._mailbox.store.read(self._found(request).n))
        return PlainTextResponse(content, headers={"X-Content-Type-Options": "nosniff"})

    def missing(self, request: Request, _error: Exception) -> Response:
        """Say that there is no such mail."""
        return self._page(request, "missing.html", 404)

    def _found(self, request: Request) -> Mail:
        try:
            return self._mailbox.mail(int(request.path_params["n"]))
        except KeyError as error:
            raise HTTPException(404) from error

    def _page(self, request: Request, name: str, status: int = 200, **context: object) -> HTMLResponse:
        asked = request.query_params.get("lang")
        language = choose_language(asked, request.cookies.get(COOKIE), request.headers.get("accept-language"))
        content = self._voices[language].get_template(name).render(**context)
        response = HTMLResponse(content, status, {**OWN_PAGE, "Content-Language": language})
        if asked == language:
            response.set_cookie(COOKIE, language, httponly=True, samesite="lax")
        return response


def application(mailbox: Mailbox) -> Starlette:
    """Make the app that shows `mailbox`."""
    views = Views(mailbox)
    return Starlette(
        routes=[
            Route("/mailbox", views.newest),
            Route("/mailbox.json", views.every),
            Route("/mailbox/{n:int}", views.one),
            Route("/mailbox/{n:int}/html", views.html),
            Route("/mailbox/{n:int}/source", views.source),
        ],
        exception_handlers={404: views.missing},
    )


def _templates(translator: Translator) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, extensions=["jinja2.ext.i18n"]
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        translator.gettext, translator.ngettext, newstyle=True
    )
    environment.globals |= {"language": translator.language, "languages": NAMES}
    environment.filters["time"] = _time
    return environment


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
