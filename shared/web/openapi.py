"""What an API says of itself in OpenAPI: also how it refuses, which FastAPI would tell otherwise than it happens."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from shared import VERSION
from shared.web.problems import MEDIA_TYPE, PREFIX

Json = dict[str, Any]
Refusals = Mapping[int, Sequence[str]]
"""By status, the slugs that an answer may bear."""
ABOUT = "about this service"
"""The tag of what a service says of itself: it stands on nothing that may be away."""
PROBLEM = "Problem"
FREE = {"type": "string"}
OF_ANY_WORK: Refusals = {500: ["internal"], 503: ["unavailable"]}
OF_A_BODY: Refusals = {400: ["malformed"], 413: ["too-large"]}
OF_RULES: Refusals = {422: ["invalid"]}
RETRIED = {429, 503}
"""Answers that say in a header when to come again."""


class FaultTold(BaseModel):
    """What is wrong, and where."""

    field: str
    message: str


class ProblemTold(BaseModel):
    """Why a request was not done (RFC 9457); some slugs bring members of their own."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description=f"`{PREFIX}` and a slug that never changes.", pattern=f"^{PREFIX}[a-z0-9-]+$")
    title: str
    status: int
    detail: str = Field(description="What is wrong, with what, and what to do.")
    instance: str = Field(description="By which we find the request in our logs.")
    errors: list[FaultTold] = Field(
        default_factory=list, description="Of `invalid`: each field that is wrong. Absent elsewhere."
    )


def refuses(*several: Refusals) -> dict[int | str, Json]:
    """Say how a route refuses, for its `responses`; what any may answer (a body that is no JSON, say) is added."""
    slugs: dict[int, list[str]] = {}
    for refusals in several:
        for status, named in refusals.items():
            slugs.setdefault(status, []).extend(named)
    return {status: _refusal(status, named) for status, named in slugs.items()}


class Application(FastAPI):
    """An app whose OpenAPI document tells how it refuses; `schemas` are those that its routes refer to by name."""

    def __init__(self, title: str, *, site: str, prefix: str, **options: Any) -> None:  # noqa: ANN401 - FastAPI's
        super().__init__(
            title=title,
            version=VERSION,
            servers=[{"url": site}],
            license_info={"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
            openapi_url=f"{prefix}/openapi.json",
            docs_url=None,
            redoc_url=None,
            generate_unique_id_function=_name,
            **options,
        )
        self.schemas: dict[str, Json] = {}

    def openapi(self) -> Json:
        """Give the document, made once."""
        if not self.openapi_schema:
            document = super().openapi()
            _complete(document, self.schemas)
            self.openapi_schema = document
        return self.openapi_schema


def operations_of(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Give each operation of a document with its path and method."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def slugs_of(answer: Json) -> list[str]:
    """Read the slugs that a described answer may bear."""
    schema = answer.get("content", {}).get(MEDIA_TYPE, {}).get("schema", {})
    named = schema.get("properties", {}).get("type", {}).get("enum", ())
    return [each.removeprefix(PREFIX) for each in named]


def _name(route: APIRoute) -> str:
    return route.name


def _refusal(status: int, slugs: Sequence[str]) -> Json:
    told = list(dict.fromkeys(slugs))
    answer: Json = {
        "description": HTTPStatus(status).phrase,
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    "$ref": f"#/components/schemas/{PROBLEM}",
                    "properties": {"type": {"enum": [f"{PREFIX}{slug}" for slug in told]}},
                }
            }
        },
    }
    if status in RETRIED:
        words = "Seconds to wait."
        answer["headers"] = {"Retry-After": {"description": words, "schema": {"type": "integer"}}}
    return answer


def _complete(document: Json, schemas: Mapping[str, Json]) -> None:
    kept = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own words, which nobody hears here
        kept.pop(name, None)
    problem = ProblemTold.model_json_schema(ref_template="#/components/schemas/{model}")
    kept |= problem.pop("$defs")
    kept |= {PROBLEM: problem, **schemas}
    for _, _, operation in operations_of(document):
        _add_refusals(operation)


def _add_refusals(operation: Json) -> None:
    answers = operation["responses"]
    if answers.get("422", {}).get("content", {}).keys() == {"application/json"}:
        del answers["422"]
    if ABOUT in operation.get("tags", ()):
        return
    any_work = [OF_ANY_WORK]
    if "requestBody" in operation:
        any_work.append(OF_A_BODY)
    if "requestBody" in operation or any(_has_rules(each) for each in operation.get("parameters", ())):
        any_work.append(OF_RULES)
    for refusals in any_work:
        for status, slugs in refusals.items():
            answers[str(status)] = _refusal(status, [*slugs_of(answers.get(str(status), {})), *slugs])
    operation["responses"] = dict(sorted(answers.items()))


def _has_rules(parameter: Json) -> bool:
    """Tell whether a parameter can be wrong: one that takes any text cannot."""
    schema = {name: rule for name, rule in parameter["schema"].items() if name not in {"title", "description"}}
    return schema != FREE
