"""Each is written to in their own language, whatever the workshop's; and who has a seat learns how to join."""

from typing import NamedTuple

import pytest

from tests.system.browser import Page
from tests.system.offers import session, workshop
from tests.system.people import Language, Person
from tests.system.stack import Stack


class Words(NamedTuple):
    """What somebody should read."""

    subject: str
    greeting: str
    when: str
    label: str


WORDS: dict[Language, Words] = {
    "ca": Words("Plaça confirmada: {} (10 d'abril de 2041)", "Hola, {},", "dimecres, 10 d'abril de 2041, 9:30", "Quan"),
    "es": Words(
        "Plaza confirmada: {} (10 de abril de 2041)", "Hola, {}:", "miércoles, 10 de abril de 2041, 9:30", "Cuándo"
    ),
    "en": Words("Confirmed: {} (10 April 2041)", "Hello, {},", "Wednesday, 10 April 2041, 09:30", "When"),
}


@pytest.mark.parametrize("language", WORDS)
async def test_a_person_is_written_to_in_the_language_that_they_chose(stack: Stack, language: Language) -> None:
    energy = await stack.offer(workshop(language="en"))
    person = Person("Jordi", language)
    enrolled = await stack.enrol(energy, person)
    (mail,) = await stack.told(person, 1)
    words = WORDS[language]
    assert mail.subject == words.subject.format(energy.title[language])
    assert mail.text.splitlines()[0] == words.greeting.format(person.name)
    assert f"{words.label}:\n" in mail.text
    assert f"{words.when}–13:00" in mail.text  # noqa: RUF001 - times are joined so
    assert f'<html lang="{language}">' in mail.html
    assert str(mail.entry["SUMMARY"]) == energy.title[language]
    assert (await stack.as_sent(mail))["Content-Language"] == language
    person_id = (await stack.enrolment(enrolled))["person_id"]
    (notice,) = await stack.settled(energy, {"participant.confirmed": 1})
    assert [each.notice_id for each in await stack.notices(person_id=person_id)] == [notice.notice_id]
    assert (notice.recipient, notice.language, notice.state) == (person_id, language, "sent")


async def test_who_has_a_seat_learns_how_to_join_and_nobody_else_does(stack: Stack) -> None:
    online = session(mode="online", place=None)
    energy = await stack.offer(workshop(sessions=[online], seats={"online": 1}))
    joins, waits = Person("Laia"), Person("Martí")
    enrolled = [await stack.enrol(energy, each, attendance="online") for each in (joins, waits)]
    (confirmed,), (waiting,) = await stack.told(joins, 1), await stack.told(waits, 1)
    link = online["join_url"]
    assert link in confirmed.text
    assert confirmed.entry.location == link
    assert link not in waiting.text
    with_seat, in_queue = [Page.of(await stack.http.get(each.manage_url)) for each in enrolled]
    assert link in with_seat.links
    assert link not in in_queue.links
    public = [f"/workshops/{energy.slug}", f"/enrol/{energy.slug}", f"/api/catalogue/workshops/{energy.id}"]
    for path in (*public, "/api/catalogue/workshops?limit=1000", "/workshops"):
        assert "meet.example.org" not in (await stack.http.get(path)).raise_for_status().text
    to_staff = await stack.http.get(f"/api/catalogue/workshops/{energy.id}", headers=stack.staff)
    assert to_staff.json()["sessions"][0]["join_url"] == link
