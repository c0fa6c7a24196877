"""The description of an API (OpenAPI), with the problems that every operation may answer."""

from typing import Any

from fastapi import FastAPI

PROBLEM: dict[str, Any] = {
    "description": "What is wrong, as RFC 9457 writes it; `type` ends in a stable slug; more members may follow.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:convoca:problem:not-open"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "names the request, as the logs do"},
        "errors": {
            "type": "array",
            "description": "each place where the request is wrong",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
OF_THE_FRAMEWORK = ("HTTPValidationError", "ValidationError")


def with_problems(app: FastAPI) -> None:
    """Describe, in place of the framework's errors, which are answered nowhere, the problems that are."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _add(describe())
        return describe()

    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI's documentation has it


def _add(description: dict[str, Any]) -> None:
    components = description.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in OF_THE_FRAMEWORK:
        schemas.pop(name, None)
    schemas["Problem"] = SCHEMA
    components["responses"] = {"Problem": PROBLEM}
    for operations in description["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            for status in ("4XX", "5XX"):
                operation["responses"][status] = {"$ref": "#/components/responses/Problem"}
