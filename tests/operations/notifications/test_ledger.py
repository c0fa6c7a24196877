"""The ledger: who was told what, by which rule, and what became of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml

from services.notifications.app import build
from services.notifications.domain import Rule
from services.notifications.settings import Settings
from shared.database import Database
from shared.events.registration import EnrolmentWithdrawn
from shared.settings import SettingsError
from shared.web import tokens
from tests.clock import HandClock
from tests.operations.notifications.conftest import House, enrolment, person, step, workshop

FIELDS = {
    "notice_id", "event_id", "rule", "recipient", "channel", "language", "state", "reason", "workshop_id", "person_id",
    "created_at", "sent_at",
}  # fmt: skip
TOKEN = "t" * 43


def environment(tmp_path: Path, database: Database) -> dict[str, str]:
    office = tmp_path / "office.yaml"
    office.write_text(yaml.safe_dump({"name": {"ca": "Oficina"}, "address": "office@example.cat"}), encoding="utf-8")
    return {
        "CONVOCA_DATABASE_URL": database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
        "CONVOCA_KAFKA_SERVERS": "127.0.0.1:1",
        "CONVOCA_PUBLIC_URL": "https://convoca.example.cat",
        "CONVOCA_SECRET_KEY": "k" * 32,
        "CONVOCA_OFFICE": str(office),
        "CONVOCA_SMTP_URL": "smtp+starttls://office:s%40cret@mail.example.cat",
        "CONVOCA_MAIL_FROM": "Oficina <convoca@example.cat>",
    }


@pytest_asyncio.fixture
async def staff(house: House, tmp_path: Path, clock: HandClock) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the API with a staff token."""
    app = build(Settings.from_environment(environment(tmp_path, house.database)), clock)
    async with house.database.transaction(clock()) as tx:
        await tokens.create(tx.session, "laia", "staff", TOKEN, clock(), None)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://convoca/api/notifications",
        headers={"Authorization": f"Bearer {TOKEN}"},
    ) as client:
        yield client
    await app.state.service.database.close()


async def read(client: httpx.AsyncClient, **filters: object) -> list[dict[str, Any]]:
    """Read the ledger piece by piece, three notices at a time."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        parameters = {name: str(value) for name, value in filters.items()} | {"limit": "3"}
        answer = await client.get("/notices", params=parameters | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next"]
        if cursor is None:
            return found


async def test_staff_read_what_became_of_each_notice(house: House, staff: httpx.AsyncClient) -> None:
    meeting, nuria = workshop(), person()
    await house.tell(meeting)
    await house.tell(nuria)
    created = enrolment(nuria, meeting)
    (record,) = await house.tell(created)
    await house.send()
    await house.tell(step(created, EnrolmentWithdrawn, "withdrawn"))

    owed, new, sent = await read(staff)

    assert set(sent) == FIELDS
    event_id = dict(record.headers)["ce_id"]
    assert event_id is not None
    assert sent["event_id"] == event_id.decode()
    assert (sent["rule"], sent["recipient"], sent["channel"]) == (Rule.CONFIRMED, str(nuria.person_id), "email")
    assert (sent["state"], sent["language"], sent["sent_at"] is None) == ("sent", "ca", False)
    assert (new["rule"], new["recipient"], new["person_id"]) == (Rule.NEW_ENROLMENTS, "staff:laia", None)
    assert (owed["state"], owed["language"], owed["sent_at"]) == ("owed", None, None)
    assert [each["rule"] for each in await read(staff, event_id=sent["event_id"])] == [
        Rule.NEW_ENROLMENTS,
        Rule.CONFIRMED,
    ]


async def test_the_ledger_is_filtered_and_read_in_pieces(house: House, staff: httpx.AsyncClient) -> None:
    meeting, other = workshop(), workshop()
    people = [person(f"Person{number}") for number in range(7)]
    await house.tell(*(enrolment(each, meeting) for each in people))
    await house.tell(enrolment(people[0], other))

    assert len(await read(staff)) == 10
    assert len(await read(staff, workshop_id=meeting.workshop_id)) == 8
    assert len(await read(staff, person_id=people[0].person_id)) == 2
    assert len(await read(staff, person_id=people[0].person_id, workshop_id=other.workshop_id)) == 1
    assert await read(staff, state="sent") == []
    ordinals = [each["notice_id"] for each in await read(staff)]
    assert len(set(ordinals)) == 10


@pytest.mark.parametrize(
    ("query", "field"),
    [("state=lost", "state"), ("person_id=1", "person_id"), ("limit=1001", "limit"), ("cursor=x", "cursor")],
)
async def test_a_question_that_makes_no_sense_is_told_which_field_is_wrong(
    staff: httpx.AsyncClient, query: str, field: str
) -> None:
    answer = await staff.get(f"/notices?{query}")

    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert field in answer.text


async def test_the_ledger_is_for_staff(staff: httpx.AsyncClient) -> None:
    assert (await staff.get("/notices", headers={"Authorization": ""})).status_code == 401
    assert (await staff.get("/notices", headers={"Authorization": "Bearer wrong"})).status_code == 401


@pytest.mark.parametrize(
    ("name", "value"),
    [("CONVOCA_SMTP_URL", "http://mail"), ("CONVOCA_MAIL_FROM", "nobody"), ("CONVOCA_SMTP_URL", None)],
)
async def test_a_setting_that_is_wrong_is_named(house: House, tmp_path: Path, name: str, value: str | None) -> None:
    settings = {key: each for key, each in environment(tmp_path, house.database).items() if key != name}

    with pytest.raises(SettingsError, match=name):
        Settings.from_environment(settings | ({name: value} if value else {}))


async def test_the_address_of_the_server_holds_how_one_logs_in(house: House, tmp_path: Path) -> None:
    server = Settings.from_environment(environment(tmp_path, house.database)).smtp

    assert (server.host, server.port, server.username, server.password) == (
        "mail.example.cat", 587, "office", "s@cret",
    )  # fmt: skip


async def test_a_person_who_comes_to_an_address_that_is_not_there_reads_so_in_their_language(
    staff: httpx.AsyncClient,
) -> None:
    missing = "http://convoca/preferences/mistyped"
    page = await staff.get(missing, headers={"Accept": "text/html", "Accept-Language": "es"})
    assert page.status_code == 404
    assert "No encontramos esta página" in page.text
    style = await staff.get("http://convoca/assets/notifications/style.css")
    assert style.status_code == 200
