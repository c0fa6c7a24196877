"""What a service says of itself: its schemas, its AsyncAPI and OpenAPI documents, and pages that show them to people.

The pages are made of the documents alone: they load nothing from elsewhere, run no script, and send nothing.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from markupsafe import Markup, escape
from pydantic_core import to_json

from shared.errors import NotFound
from shared.events.base import Event
from shared.events.contract import schema_file, shape_called, shapes_on
from shared.events.topics import OWN
from shared.messaging.asyncapi import Described, document
from shared.web.documents.endpoints import Endpoints
from shared.web.documents.streams import Streams
from shared.web.openapi import ABOUT, refuses
from shared.web.pages import pages_of

CODE = re.compile(r"`([^`]+)`")
FRESH = {"Cache-Control": "public, max-age=300"}


class SchemaResponse(Response):
    """A JSON Schema."""

    media_type = "application/schema+json"


class Documents:
    """The documents of one service, each made when somebody first asks for it."""

    def __init__(self, described: Described) -> None:
        self.service = described.service
        self.schemas: Mapping[tuple[str, str], bytes] = dict(_schemas(described))
        self._described = described

    @cached_property
    def asyncapi(self) -> bytes:
        """The AsyncAPI document."""
        return to_json(document(self._described))

    @cached_property
    def streams(self) -> Streams:
        """The same, for people."""
        return Streams.of(document(self._described))


def router(described: Described) -> APIRouter:
    """Make the endpoints by which a service tells what it is; its pages need `app.state.pages`."""
    about = APIRouter(tags=[ABOUT])
    documents = Documents(described)

    @about.get("/asyncapi.json", response_class=JSONResponse)
    async def asyncapi_document() -> Response:
        """Give the AsyncAPI document: what this service says and follows on Kafka."""
        return Response(documents.asyncapi, headers=FRESH, media_type="application/json")

    @about.get("/asyncapi", response_class=HTMLResponse)
    async def asyncapi_page(request: Request) -> Response:
        """Show the AsyncAPI document to people."""
        return _shown(request, "asyncapi.html", described.service, streams=documents.streams)

    @about.get("/docs", response_class=HTMLResponse)
    async def openapi_page(request: Request) -> Response:
        """Show the OpenAPI document to people."""
        return _shown(request, "openapi.html", described.service, endpoints=Endpoints.of(request.app.openapi()))

    @about.get(
        "/schemas/{event_type}/{version}.json",
        response_class=SchemaResponse,
        responses=refuses({404: ["unknown-schema"]}),
    )
    async def event_schema(event_type: str, version: str) -> Response:
        """Give the JSON Schema of an event that this service says, or takes from outside (`inbound.<type>`)."""
        schema = documents.schemas.get((event_type, version))
        if schema is None:
            slug = "unknown-schema"
            raise NotFound(slug, "This service neither says nor takes from outside an event of this type and version.")
        return SchemaResponse(schema, headers=FRESH)

    return about


def prose(words: str) -> Markup:
    """Write a sentence of a document, with what stands between backticks as code."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(words))))  # noqa: S704 - escaped before anything is put in


def _shown(request: Request, template: str, service: str, **context: Any) -> Response:  # noqa: ANN401 - a template's
    return pages_of(request).render(request, template, service=service, prose=prose, **context)


def _schemas(described: Described) -> Iterator[tuple[tuple[str, str], bytes]]:
    for shape in _served(described):
        content, version = schema_file(shape).read_bytes(), str(shape.version)
        yield (shape.shape, version), content
        if shape_called(shape.type, shape.version) is shape:
            yield (shape.type, version), content


def _served(described: Described) -> Iterator[type[Event]]:
    for topic in OWN[described.service]:
        yield from shapes_on(topic)
    for subscription in described.subscriptions:
        if subscription.inbound:
            yield from subscription.events.values()
