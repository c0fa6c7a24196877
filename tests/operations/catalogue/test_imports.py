"""A file's rows answer for themselves: what is wrong is named by line and field, and the others go in."""

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.catalogue import operations
from services.catalogue.imports import RowOutcome, UnreadableFile, import_file
from services.catalogue.repository import EVERY, Criteria
from tests.operations.catalogue.conftest import Desk

PROGRAMME = Path(__file__).parents[3] / "deploy" / "demo" / "programme.yaml"
MADRID = ZoneInfo("Europe/Madrid")
WORKSHOP = """\
  - slug: {slug}
    kind: webinar
    title: {{ ca: Sessió }}
    sessions: [{{ starts_at: {starts}, ends_at: {ends}, timezone: Europe/Madrid, mode: online }}]
    seats: {{ online: {seats} }}
"""


def workshop(slug: str, starts: str = "2027-03-27 10:00", ends: str = "2027-03-27 11:00", seats: str = "20") -> str:
    return WORKSHOP.format(slug=slug, starts=starts, ends=ends, seats=seats)


class Importer:
    """Imports what a test writes."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk = desk
        self.folder = folder

    async def __call__(
        self, text: str | bytes, name: str = "programme.yaml", *, dry_run: bool = False, redate: date | None = None
    ) -> list[RowOutcome]:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return await import_file(self.desk.database, path, now=self.desk.clock(), dry_run=dry_run, redate=redate)

    async def slugs(self) -> list[str]:
        """Give all workshops there are."""
        async with self.desk.database.transaction(self.desk.clock()) as tx:
            return [row.slug for row in await operations.search(tx, Criteria(states=EVERY), None, 100)]


@pytest.fixture
def take(desk: Desk, tmp_path: Path) -> Importer:
    """Give what imports a file's text."""
    return Importer(desk, tmp_path)


def effects(outcomes: list[RowOutcome]) -> list[tuple[str | None, str]]:
    return [(each.key, each.outcome) for each in outcomes]


async def test_the_example_programme_goes_in_whole_and_a_second_time_changes_nothing(desk: Desk) -> None:
    first = await import_file(desk.database, PROGRAMME, now=desk.clock())
    assert {each.outcome for each in first} == {"created"}
    assert [each.kind for each in first] == ["programme", "group"] + ["workshop"] * 5
    told = await desk.told()
    second = await import_file(desk.database, PROGRAMME, now=desk.clock())
    assert {each.outcome for each in second} == {"unchanged"}
    assert await desk.told() == told
    assert await desk.types() == ["workshop.scheduled"] * 5


async def test_without_redating_the_example_programme_keeps_its_dates(desk: Desk) -> None:
    await import_file(desk.database, PROGRAMME, now=desk.clock())
    async with desk.database.transaction(desk.clock()) as tx:
        enabling = await operations.workshop(tx, "smcnetzero-habilitacio", drafts=False)
    assert [each.starts_at.isoformat() for each in enabling.sessions] == [
        "2024-04-10T09:00:00+02:00",
        "2024-04-11T09:00:00+02:00",
    ]


async def test_redated_the_example_programme_lies_ahead_with_the_clock_change_inside(desk: Desk) -> None:
    today = desk.clock().date()
    await import_file(desk.database, PROGRAMME, now=desk.clock(), redate=today)
    async with desk.database.transaction(desk.clock()) as tx:
        rows = await operations.search(tx, Criteria(), None, 100)
    offsets = [str(each.starts_at.utcoffset()) for row in rows for each in row.sessions]
    assert offsets == ["1:00:00"] * 2 + ["2:00:00"] * 4
    assert all(row.starts_at.date() > today for row in rows)
    assert rows[0].starts_at.astimezone(MADRID).isoweekday() == 3


async def test_a_date_beyond_all_calendars_keeps_no_other_row_from_being_moved(take: Importer) -> None:
    text = "workshops:\n" + workshop("bona", "2024-03-05 10:00", "2024-03-05 11:00")
    outcomes = await take(text + workshop("x", "9999-12-31 22:59", "9999-12-31 23:59"), redate=take.desk.clock().date())
    assert effects(outcomes) == [("bona", "created"), ("x", "refused")]


async def test_a_bad_row_is_named_by_line_and_field_and_the_others_go_in(take: Importer) -> None:
    text = (
        "workshops:\n"
        + workshop("bona")
        + workshop("dolenta", seats="molts", ends="2027-03-27 09:00")
        + workshop("altra")
    )
    outcomes = await take(text)
    assert effects(outcomes) == [("bona", "created"), ("dolenta", "refused"), ("altra", "created")]
    assert outcomes[1].line == 7
    assert outcomes[1].reason is not None
    assert "line 11, seats.online: " in outcomes[1].reason
    assert "line 10, sessions.0: ends_at must come after starts_at" in outcomes[1].reason
    assert await take.slugs() == ["bona", "altra"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("  - just text\n", "line 2, the row: this is not a row with named fields"),
        ("  - slug: Un Nom\n", "line 2, slug: "),
        ("  - slug: x\n    knid: webinar\n", "line 3, knid: Extra inputs are not permitted"),
        (
            workshop("x").replace("mode: online", "mode: online, place: { nmae: Vic }"),
            "line 5, sessions.0.place.nmae: ",
        ),
        (workshop("x").replace("Europe/Madrid", "Europe/Madird"), "line 5, sessions.0.timezone: is not a time zone"),
        (workshop("x").replace("Europe/Madrid", "[a]"), "line 5, sessions.0.timezone: "),
        (workshop("x", starts="2027-03-28 02:30"), "line 5, sessions.0.starts_at: this hour is left out that night"),
        (workshop("x", starts="demà"), "line 5, sessions.0.starts_at: "),
        (workshop("x", ends="9999-12-31 23:59"), "line 5, sessions.0: ends_at must come after starts_at"),
        (workshop("x", "9999-12-31 22:59", "9999-12-31 23:59"), "line 5, sessions.0.starts_at: must lie between"),
        (workshop("x", "0001-01-01 00:00", "0001-01-01 00:30"), "line 5, sessions.0.starts_at: must lie between"),
        (
            workshop("x") + "    registration: { opens_at: 2027-02-02, closes_at: 2027-02-01 }\n",
            "line 7, registration.closes_at: must come after opens_at",
        ),
        (workshop("x", starts="1850-03-01 10:00", ends="1850-03-01 11:00"), "line 5, sessions.0.starts_at: must lie"),
    ],
)
async def test_each_fault_is_found_where_it_stands(take: Importer, row: str, reason: str) -> None:
    outcomes = await take("workshops:\n" + row + workshop("bona"))
    assert [each.outcome for each in outcomes] == ["refused", "created"]
    assert reason in (outcomes[0].reason or "")


async def test_the_second_row_of_one_name_is_refused(take: Importer) -> None:
    outcomes = await take("workshops:\n" + workshop("doble") + workshop("doble", seats="9"))
    assert [each.outcome for each in outcomes] == ["created", "refused"]
    assert outcomes[1].reason == "line 7, slug: doble stands on line 2 already"


async def test_other_dates_reschedule_and_other_seats_update(take: Importer) -> None:
    for row in (
        workshop("x"),
        workshop("x", ends="2027-03-27 12:00"),
        workshop("x", "2027-03-27 10:00", "2027-03-27 12:00", "9"),
    ):
        await take("workshops:\n" + row)
    assert await take.desk.types() == ["workshop.scheduled", "workshop.rescheduled", "workshop.updated"]


async def test_a_row_may_stay_a_draft_and_be_put_on_offer_later(take: Importer) -> None:
    assert effects(await take("workshops:\n" + workshop("x") + "    state: draft\n")) == [("x", "created")]
    assert await take.desk.told() == []
    assert effects(await take("workshops:\n" + workshop("x"))) == [("x", "updated")]
    assert await take.desk.types() == ["workshop.scheduled"]


async def test_a_row_of_a_cancelled_workshop_is_refused(take: Importer) -> None:
    await take("workshops:\n" + workshop("x"))
    await take.desk.cancel("x")
    outcomes = await take("workshops:\n" + workshop("x"))
    assert outcomes[0].outcome == "refused"
    assert outcomes[0].reason == "line 2: The workshop is cancelled, and stays so; make a new one instead."


async def test_a_dry_run_says_what_would_be_and_leaves_nothing(take: Importer) -> None:
    text = "workshops:\n" + workshop("x") + workshop("y", seats="-1")
    outcomes = await take(text, dry_run=True)
    assert effects(outcomes) == [("x", "created"), ("y", "refused")]
    assert await take.slugs() == []
    assert await take.desk.told() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"workshops:\n  - slug: [\n", "line 3: "),
        (b"workshops:\n  - {a: 1\n", "line 3: "),
        (b"tallers: []\n", "line 1: tallers is not a list named programmes, groups, workshops"),
        (b"programmes: []\nworkshops: 3\n", "line 2: workshops is not a list"),
        (b"", "line 1: there must be lists"),
        (b"workshops:\n  - slug: a\n    slug: b\n", "line 3: slug stands here for the second time"),
        (b"workshops:\n  - &a [*a]\n", "line 2: this contains itself"),
        (b"workshops:\n  - slug: \xe0\n", "line 2: this is not UTF-8"),
        (b"workshops: \x00", "unacceptable character"),
        (b"workshops: " + b"[" * 5000, "too deeply"),
    ],
)
async def test_a_file_that_is_no_programme_is_refused_as_a_whole(take: Importer, text: bytes, said: str) -> None:
    with pytest.raises(UnreadableFile, match=said):
        await take(text)


async def test_a_file_of_another_kind_is_refused(take: Importer) -> None:
    with pytest.raises(UnreadableFile, match=r"\.csv, \.yaml, \.yml"):
        await take("", "programme.xlsx")


HEADER = (
    "slug;kind;title_ca;starts_at;ends_at;timezone;mode;"
    "place_city;place_name;seats_in_person;seats_online;themes;opens_at\n"
)


async def test_a_table_goes_in_row_by_row_as_a_spreadsheet_saves_it(take: Importer) -> None:
    rows = (
        'bona;workshop;"Sessió; amb punt i coma";2027-03-27 10:00;2027-03-27 11:00;Europe/Madrid;hybrid;Vic;Sala;20;'
        "unlimited;net-zero energy;2027-01-01\r\n"
        "\r\n"
        'dolenta;workshop;"Dues\nlínies";2027-03-28 02:30;2027-03-28 05:00;Europe/Madrid;online;;;;20;;\r\n'
        "pitjor;workshop;Títol;2027-03-27 10:00;2027-03-27 11:00;Europe/Madrid;online;;;;molts;;\r\n"
        "massa;workshop;Títol;2027-03-27 10:00;2027-03-27 11:00;Europe/Madrid;online;;;;2;;;;;\r\n"
    )
    outcomes = await take("\N{ZERO WIDTH NO-BREAK SPACE}" + HEADER + rows, "programme.csv")
    assert [(each.line, each.key, each.outcome) for each in outcomes] == [
        (2, "bona", "created"),
        (4, "dolenta", "refused"),
        (6, "pitjor", "refused"),
        (7, None, "refused"),
    ]
    reasons = [each.reason or "" for each in outcomes]
    assert reasons[1].startswith("line 4, starts_at: this hour is left out that night")
    assert reasons[2].startswith("line 6, seats_online: ")
    assert reasons[3].startswith("line 7, the row: ")
    async with take.desk.database.transaction(take.desk.clock()) as tx:
        row = await operations.workshop(tx, "bona", drafts=False)
    assert row.content.seats == {"in_person": 20, "online": None}
    assert row.content.themes == ("net-zero", "energy")
    assert row.sessions[0].starts_at == datetime(2027, 3, 27, 10, tzinfo=MADRID)
    assert row.content.registration.opens_at == datetime(2027, 1, 1, tzinfo=MADRID)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("slug,knid\n", "line 1: there is no column knid"),
        ("slug,slug\n", "line 1: a column stands there twice"),
        ("kind,title_ca\n", "line 1: the column slug is missing"),
        ("", "line 1: the column slug is missing"),
        ('slug\n"a\n', "line 2: "),
    ],
)
async def test_a_table_whose_columns_are_not_known_is_refused(take: Importer, header: str, said: str) -> None:
    with pytest.raises(UnreadableFile, match=said):
        await take(header, "programme.csv")


async def test_programmes_and_groups_are_kept_as_they_are_stated(take: Importer) -> None:
    text = "groups:\n  - { slug: g, kind: focus, title: { ca: Grup }, requirement: { ca: Voluntat } }\n"
    assert effects(await take(text)) == [("g", "created")]
    assert effects(await take(text)) == [("g", "unchanged")]
    assert effects(await take(text.replace("Voluntat", "Ganes"))) == [("g", "updated")]
    rows = await take.desk.rows("SELECT kind, requirement FROM groups")
    assert rows == [{"kind": "focus", "requirement": {"ca": "Ganes"}}]
