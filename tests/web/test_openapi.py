"""An API's description tells of the problems that are really answered."""

from uuid import UUID

from shared.web import problems
from shared.web.openapi import Application, slugs_of
from tests.web.conftest import Visit


async def test_every_operation_says_how_it_refuses_and_none_answers_as_the_framework_would(visit: Visit) -> None:
    app = Application("Convoca", site="https://convoca.test", prefix="/api/catalogue")
    problems.install(app)

    @app.get("/api/catalogue/x/{number}")
    async def show(number: UUID) -> dict[str, int]:
        return {str(number): 7}

    async with visit(app) as client:
        description = (await client.get("/api/catalogue/openapi.json")).json()
        refused = await client.get("/api/catalogue/x/seven")
    answers = description["paths"]["/api/catalogue/x/{number}"]["get"]["responses"]
    assert {status: slugs_of(answer) for status, answer in answers.items() if status != "200"} == {
        "422": ["invalid"],
        "500": ["internal"],
        "503": ["unavailable"],
    }
    assert "HTTPValidationError" not in description["components"]["schemas"]
    assert set(answers["422"]["content"]) == {refused.headers["content-type"]}
    assert set(refused.json()) <= set(description["components"]["schemas"]["Problem"]["properties"])
