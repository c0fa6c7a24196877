"""An API's description tells of the problems that are really answered."""

from uuid import UUID

from fastapi import FastAPI

from tests.web.conftest import Visit


async def test_every_operation_says_how_it_refuses_and_none_answers_as_the_framework_would(
    app: FastAPI, visit: Visit
) -> None:
    @app.get("/api/catalogue/x/{number}")
    async def show(number: UUID) -> dict[str, int]:
        return {str(number): 7}

    async with visit(app) as client:
        description = (await client.get("/openapi.json")).json()
        refused = await client.get("/api/catalogue/x/seven")
    answers = description["paths"]["/api/catalogue/x/{number}"]["get"]["responses"]
    assert set(answers) == {"200", "4XX", "5XX"}
    assert "HTTPValidationError" not in description["components"]["schemas"]
    ((media_type, content),) = description["components"]["responses"]["Problem"]["content"].items()
    assert refused.headers["content-type"] == media_type
    assert content == {"schema": {"$ref": "#/components/schemas/Problem"}}
    assert set(refused.json()) <= set(description["components"]["schemas"]["Problem"]["properties"])
