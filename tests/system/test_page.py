"""What the page for other systems tells them to do is what does it: each example runs as it stands there."""

from pathlib import Path

from tests.system import page
from tests.system.stack import Publisher, Stack, Workshop
from tests.waiting import eventually

TITLE = "Com es finança una ciutat neta"


async def test_the_publisher_and_the_reader_in_python_do_what_the_page_says(stack: Stack, tmp_path: Path) -> None:
    """On a broker that asks nobody who they are; `tests/access` looks at one that does, and at other tools."""
    printed = await stack.convoca("publisher", "add", "page-cms", "--service", "catalogue", "--json")
    page.lay_out(tmp_path, "my-cms.json", printed)
    await page.run("python", "AIOKafkaProducer", tmp_path, {})

    async def shown() -> list[Workshop]:
        return await stack.workshops(Publisher.model_validate_json(printed))

    (made,) = await eventually(shown, "the workshop of the page")
    assert (made.external_id, made.title["ca"]) == ("spring-2041", TITLE)
    topics = ("--topic", "catalogue.workshops", "--topic", "registration.seats")
    page.lay_out(tmp_path, "city-site.json", await stack.convoca("reader", "add", "city-site", *topics, "--json"))
    read = await page.first_line("python", "AIOKafkaConsumer", tmp_path, TITLE)
    assert read == f"workshop.scheduled {{'ca': '{TITLE}'}}"
