"""What became of those who enrolled under load: in the database, on the stream and in the mails, once each."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from tests.compose.deployed import Deployed
from tests.compose.deployment import docker
from tests.compose.load import Load
from tests.compose.waiting import before_long

LOOKING = (Path(__file__).parent / "looking.py").read_text(encoding="utf-8")


async def mailed(stack: Deployed, catcher: str) -> Counter[str]:
    """Count the mails by their recipient."""
    answer = (await stack.http.get(f"{catcher}/messages", params={"limit": 5000})).raise_for_status().json()
    return Counter(each["To"][0]["Address"] for each in answer["messages"])


async def catcher_of(stack: Deployed) -> str:
    """Give where the mail catcher's API is; the public image has it below /mailbox, its stand-in has not."""
    root = f"http://{await stack.deployment.address('mailpit', 'inside')}:8025"
    below = (await stack.http.get(f"{root}/mailbox/readyz")).is_success
    return f"{root}/mailbox/api/v1" if below else f"{root}/api/v1"


async def all_mailed(load: Load, catcher: str) -> None:
    """Wait until everybody has been written to who has been accepted until now."""
    until_now = set(load.accepted)

    async def written_to() -> bool:
        return until_now <= set(await mailed(load.stack, catcher))

    await before_long(written_to, "everybody to be written to")


async def containers_of(stack: Deployed, service: str) -> list[dict[str, Any]]:
    """Give what the engine knows of each of a service's containers, in their order."""
    named = (await stack.deployment.compose("ps", "--all", "--quiet", service)).well().split()
    about: list[dict[str, Any]] = json.loads((await docker("inspect", *named)).well())
    return sorted(about, key=lambda each: str(each["Name"]))


async def counted(stack: Deployed, container: dict[str, Any], service: str, series: str) -> float:
    """Add up what a service's container says of all series that begin so."""
    address = container["NetworkSettings"]["Networks"][f"{stack.deployment.project}_inside"]["IPAddress"]
    shown = (await stack.http.get(f"http://{address}:8000/api/{service}/metrics")).raise_for_status().text
    return sum(float(line.rpartition(" ")[2]) for line in shown.splitlines() if line.startswith(series))


async def everything_is_true_of(load: Load, catcher: str) -> None:
    """See that what was accepted is in the database, on the stream and in the mails, once each."""
    stack = load.stack
    accepted = {str(each.enrolment_id) for each in load.accepted.values()}
    assert len(accepted) == len(load.accepted)
    stack.deployment.timed.append(("enrolments accepted, attempts made again", f"{len(accepted)}, {load.again}"))
    stack.deployment.timed.append(("longest that somebody asked again and again", f"{load.longest:.1f} s"))
    await all_mailed(load, catcher)
    assert (await stack.seats(load.offered)).json()["in_person"]["confirmed"] == len(accepted)
    url = (stack.deployment.folder / "secrets" / "registration_database_url").read_text(encoding="utf-8").strip()
    query = "SELECT enrolment_id FROM enrolments WHERE state = 'confirmed'"
    stored = await stack.deployment.run("ops", url, "-Atc", query, options=("--no-deps", "--entrypoint", "psql"))
    assert accepted <= set(stored.well().split())
    assert accepted <= set(await stack.inside(LOOKING, "created"))
    times = await mailed(stack, catcher)
    assert {address: times[address] for address in load.accepted} == dict.fromkeys(load.accepted, 1)

    async def ready() -> bool:  # the front door asks one that has just been started again too
        return (await stack.http.get("/api/registration/health/ready")).is_success

    await before_long(ready, "registration to be ready")
    assert (await stack.http.get(f"/workshops/{load.offered.slug}")).status_code == httpx.codes.OK
