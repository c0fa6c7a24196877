"""The examples of the page for other systems, as they stand there, on a broker that asks who one is."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.cli.outside import Publisher, add_publisher, add_reader
from shared.events.topics import WORKSHOPS
from tests.access.running import GuardedStack
from tests.system import page
from tests.system.offers import workshop
from tests.system.stack import Publisher as OutsideSystem
from tests.system.stack import Workshop
from tests.waiting import eventually

TITLE = "Com es finança una ciutat neta"


@pytest.fixture
def tool() -> Callable[[str], None]:
    """Give what fails with a line where a tool is missing that the machine must have."""

    def require(name: str) -> None:
        assert shutil.which(name), f"{name} is not installed; on Debian: apt-get install {name}"

    return require


async def _comes_to_be_shown(stack: GuardedStack, publisher: Publisher) -> None:
    told = OutsideSystem.model_validate_json(publisher.model_dump_json())

    async def shown() -> list[Workshop]:
        return await stack.workshops(told)

    (made,) = await eventually(shown, "the workshop of the page")
    assert (made.external_id, made.title["ca"]) == ("spring-2041", TITLE)


async def test_a_publisher_in_python(stack: GuardedStack, tmp_path: Path) -> None:
    cms = await add_publisher(stack.target, "catalogue", "python-cms")
    page.lay_out(tmp_path, "my-cms.json", cms.model_dump_json())
    await page.run("python", "AIOKafkaProducer", tmp_path, {})
    await _comes_to_be_shown(stack, cms)


async def test_a_publisher_with_kcat(stack: GuardedStack, tmp_path: Path, tool: Callable[[str], None]) -> None:
    tool("kcat")
    cms = await add_publisher(stack.target, "catalogue", "kcat-cms")
    variables = page.lay_out(tmp_path, "my-cms.json", cms.model_dump_json())
    await page.run("sh", "kcat -P", tmp_path, variables)
    await _comes_to_be_shown(stack, cms)


async def test_a_publisher_with_curl(stack: GuardedStack, tmp_path: Path, tool: Callable[[str], None]) -> None:
    tool("curl")
    cms = await add_publisher(stack.target, "catalogue", "curl-cms")
    variables = page.lay_out(tmp_path, "my-cms.json", cms.model_dump_json()) | {"URL": stack.url}
    sent = json.loads(await page.run("sh", "--data-binary", tmp_path, variables))
    assert (sent["id"], sent["detail"]) == ("spring-2041/1", None)
    await _comes_to_be_shown(stack, cms)
    told = json.loads(await page.run("sh", "spring-2041%2F1", tmp_path, variables))
    assert told == {"id": "spring-2041/1", "state": "done", "detail": None}


async def test_a_reader_in_python(stack: GuardedStack, tmp_path: Path) -> None:
    made = await stack.offer(workshop())
    site = await add_reader(stack.target, "city-site", [WORKSHOPS.name])
    page.lay_out(tmp_path, "city-site.json", site.model_dump_json())
    title = made.title["ca"]
    assert (await page.first_line("python", "AIOKafkaConsumer", tmp_path, title)).startswith("workshop.scheduled {")
