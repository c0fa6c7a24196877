"""Pages for people: one layout and one set of parts, in the visitor's language."""

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from shared.events.base import Language
from shared.web import words
from shared.web.i18n import LANGUAGES, N_, NAMES, Catalogues, Texts, Translator, choose_language, language_of
from shared.web.problems import Answer, reference

HERE = Path(__file__).parent
COOKIE = "convoca_language"
SECONDS_REMEMBERED = 365 * 24 * 3600
SECONDS_ASSETS_STAY = 24 * 3600
NAVIGATION: Sequence[tuple[str, str]] = (("/workshops", N_("Workshops")),)
"""What the header of every page leads to, whichever service shows it."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Links that let one act carry their token in the path.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, Accept-Language",
}

SORRY: Mapping[int, tuple[str, str]] = {
    400: (N_("We could not read that"), N_("What was sent is not complete. Please go back and try again.")),
    401: (N_("Please identify yourself"), N_("This page is for people who have been given access to it.")),
    403: (N_("This page is not open to you"), N_("If you think that it should be, please write to us.")),
    404: (
        N_("We cannot find this page"),
        N_("The address may be mistyped, or what stood here may have been withdrawn."),
    ),
    409: (
        N_("This cannot be done now"),
        N_("Things have changed in the meantime. Please look at them again."),
    ),
    413: (N_("That is too much at once"), N_("What was sent is larger than we accept.")),
    422: (N_("Something needs correcting"), N_("Please go back and check what you wrote.")),
    429: (
        N_("Please wait a moment"),
        N_("Many requests have come from your connection. Try again in a minute."),
    ),
    503: (
        N_("We will be back in a moment"),
        N_("The service does not answer just now. Try again in a few seconds."),
    ),
}
OUR_FAULT = (
    N_("Something went wrong on our side"),
    N_("We are sorry. If it happens again, please write to us."),
)
REFUSED = (N_("This cannot be answered"), N_("Please go back and try another way."))


class Pages:
    """The pages of one service: `folder` holds its `templates/` and its `locale/`."""

    def __init__(self, service: str, folder: Path) -> None:
        self.service = service
        self.catalogues = Catalogues.load(HERE, folder)
        loader = ChoiceLoader([FileSystemLoader(folder / "templates"), FileSystemLoader(HERE / "templates")])
        self._environments = {language: self._environment(loader, language) for language in LANGUAGES}

    def translator(self, request: Request) -> Translator:
        """Give the voice in which this visitor is spoken to."""
        return self.catalogues.translator(self.language(request))

    def language(self, request: Request) -> Language:
        """Choose by `?lang=`, else the cookie, else `Accept-Language`, else Catalan."""
        return choose_language(
            request.query_params.get("lang"),
            request.cookies.get(COOKIE),
            request.headers.get("accept-language"),
        )

    def render(
        self,
        request: Request,
        template: str,
        /,
        status: int = 200,
        **context: Any,  # noqa: ANN401 - a template's
    ) -> HTMLResponse:
        """Answer with a page. An office must stand in `app.state.office`; a name that the template lacks raises."""
        language = self.language(request)
        body = (
            self._environments[language]
            .get_template(template)
            .render(
                request=request,
                office=request.app.state.office,
                path=request.url.path,
                url_lang=partial(_in_language, request.url),
                **context,
            )
        )
        response = HTMLResponse(body, status, {**HEADERS, "Content-Language": language})
        if request.query_params.get("lang") == language:
            response.set_cookie(
                COOKIE,
                language,
                max_age=SECONDS_REMEMBERED,
                secure=request.headers.get("x-forwarded-proto", request.url.scheme) == "https",
                httponly=True,
                samesite="lax",
            )
        return response

    def problem(self, request: Request, answer: Answer) -> HTMLResponse:
        """Tell a person what went wrong and what to do; the detail where it can be said in their language."""
        t = self.translator(request)
        title, advice = SORRY.get(answer.status, OUR_FAULT if answer.status >= 500 else REFUSED)  # noqa: PLR2004
        meant_for_people = any(
            self.catalogues.translator(one).gettext(answer.detail) != answer.detail for one in LANGUAGES
        )
        return self.render(
            request,
            "error.html",
            status=answer.status,
            title=t.gettext(title),
            advice=t.gettext(advice),
            detail=t.gettext(answer.detail) if meant_for_people else "",
            reference=reference(request) if answer.status >= 500 else "",  # noqa: PLR2004
        )

    def assets(self) -> Mount:
        """Give the route of the style sheet, `/assets/<service>/`, for `app.router.routes`."""
        return Mount(f"/assets/{self.service}", _Assets(directory=HERE / "assets"), name="assets")

    def _environment(self, loader: ChoiceLoader, language: Language) -> Environment:
        translator = self.catalogues.translator(language)
        environment = Environment(
            loader=loader,
            extensions=["jinja2.ext.i18n"],
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.policies["ext.i18n.trimmed"] = True
        environment.install_gettext_callables(  # type: ignore[attr-defined]
            translator.gettext, translator.ngettext, newstyle=True
        )
        version = sha256((HERE / "assets" / "style.css").read_bytes()).hexdigest()[:12]
        environment.globals |= {
            "lang": language,
            "languages": [(code, NAMES[code]) for code in LANGUAGES],
            "t": translator,
            "localised": translator.localised,
            "spoken": partial(_spoken, translator),
            "word": partial(words.word, translator),
            "choices": partial(words.choices, translator),
            "navigation": NAVIGATION,
            "assets": f"/assets/{self.service}",
            "stylesheet": f"/assets/{self.service}/style.css?v={version}",
        }
        return environment


def pages_of(request: Request) -> Pages:
    """Give the pages of the service that a request has come to."""
    pages: Pages = request.app.state.pages
    return pages


class _Assets(StaticFiles):
    """Files that may be kept: their addresses change when they do."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 - as the original takes them
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = f"public, max-age={SECONDS_ASSETS_STAY}"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def _in_language(url: URL, language: Language) -> str:
    """Write the address of the same page in another language, from the root of the site."""
    changed = url.include_query_params(lang=language)
    return f"{changed.path}?{changed.query}"


def _spoken(translator: Translator, texts: Texts, own: str | None = None) -> Markup:
    """Write a text in the visitor's language; in another one, marked so that it is read out well (WCAG 3.1.2)."""
    said = translator.localised(texts, own)
    language = language_of(texts, translator.language, own)
    if language is None or language == translator.language:
        return escape(said)
    return Markup('<span lang="{}">{}</span>').format(language, said)
