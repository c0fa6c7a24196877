"""One seat and two who want it: the story that everything else is a variation of."""

from tests.system.browser import Page
from tests.system.offers import workshop
from tests.system.people import Person
from tests.system.stack import Mail, Stack, Workshop, count
from tests.waiting import eventually

WHEN = "dimecres, 10 d'abril de 2041, 9:30–13:00"  # noqa: RUF001 - times are joined so


async def test_a_seat_that_is_given_up_goes_to_who_waits_and_each_is_told_once(stack: Stack) -> None:
    energy = await stack.offer(workshop(seats={"in_person": 1}))
    anna, biel = Person("Anna"), Person("Biel")

    first = await stack.enrol(energy, anna)
    assert (first.state, first.waitlist_position) == ("confirmed", None)
    second = await stack.enrol(energy, biel)
    assert (second.state, second.waitlist_position) == ("waitlisted", 1)
    (confirmed,) = await stack.told(anna, 1)
    await _tells_date_time_and_place_and_invites(stack, confirmed, energy)
    (waiting,) = await stack.told(biel, 1)
    assert waiting.subject == f"En llista d'espera: {energy.title['ca']} (10 d'abril de 2041)"
    assert waiting.method is None

    await _withdraw_by_the_link_in(stack, confirmed)

    (_, promoted) = await stack.told(biel, 2)
    assert promoted.subject == f"Ja teniu plaça: {energy.title['ca']} (10 d'abril de 2041)"
    assert promoted.method == "REQUEST"
    (_, farewell) = await stack.told(anna, 2)
    assert farewell.subject == f"Inscripció anul·lada: {energy.title['ca']} (10 d'abril de 2041)"
    assert (farewell.method, farewell.entry.uid) == ("CANCEL", confirmed.entry.uid)
    assert farewell.entry.sequence > confirmed.entry.sequence
    assert promoted.entry.uid != confirmed.entry.uid

    assert (await stack.enrolment(first))["state"] == "withdrawn"
    assert (await stack.enrolment(second))["state"] == "confirmed"
    seats = (await stack.seats(energy)).json()
    assert seats == {"in_person": {"capacity": 1, "confirmed": 1, "offered": 0, "waitlisted": 0, "available": 0}}
    await _the_ledger_has_each_once(stack, energy, anna, biel)


async def _tells_date_time_and_place_and_invites(stack: Stack, mail: Mail, energy: Workshop) -> None:
    assert mail.subject == f"Plaça confirmada: {energy.title['ca']} (10 d'abril de 2041)"
    for told in (WHEN, "Pati Manning, Carrer de Montalegre, 7, Barcelona"):
        assert told in mail.text
        assert told in mail.html.replace("&#39;", "'")
    message = await stack.as_sent(mail)
    assert message["Content-Language"] == "ca"
    assert message["Reply-To"].addresses[0].addr_spec == "o.europa.eint@diba.cat"
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds[:5] == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/calendar"]
    assert mail.method == "REQUEST"
    assert mail.entry.start.isoformat() == "2041-04-10T09:30:00+02:00"
    assert mail.entry.end.isoformat() == "2041-04-10T13:00:00+02:00"
    assert "Pati Manning" in str(mail.entry.location)


async def _withdraw_by_the_link_in(stack: Stack, mail: Mail) -> None:
    """Do what a person does: open the link, follow the one to withdraw, and say yes; until then nothing changes."""
    home = Page.of(await stack.http.get(mail.manage_url))
    asking = Page.of(await stack.http.get(home.link("/withdraw")))
    again = Page.of(await stack.http.get(mail.manage_url))
    assert again.link("/withdraw") == home.link("/withdraw")
    form = asking.form()
    done = await stack.http.post(form.action, data=form.fields, follow_redirects=True)
    assert not [link for link in Page.of(done).links if link.endswith("/withdraw")]


async def _the_ledger_has_each_once(stack: Stack, energy: Workshop, anna: Person, biel: Person) -> None:
    rules = dict.fromkeys(("confirmed", "withdrawn", "waiting", "promoted"), 1)
    for_people = {f"participant.{rule}": number for rule, number in rules.items()}
    notices = await stack.settled(energy, for_people | {"staff.workshop-full": 3})
    assert {(each.state, each.channel) for each in notices} == {("sent", "email")}
    to_people = [each for each in notices if each.person_id]
    assert all(each.recipient == str(each.person_id) for each in to_people)
    assert sorted(count(each.recipient for each in to_people).values()) == [2, 2]
    to_staff = sorted(each.recipient for each in notices if not each.person_id)
    assert to_staff == ["staff:aoife", "staff:joan", "staff:merce"]
    assert not [each for each in notices if "@" in each.recipient]
    ids = {f"{each.notice_id}@" for each in to_people}
    mailed = [*await stack.mails(anna), *await stack.mails(biel)]
    assert {mail.message_id.strip("<").partition("@")[0] + "@" for mail in mailed} == ids

    async def full() -> list[Mail]:
        return [mail for mail in await stack.mailbox() if mail.subject.startswith(f"Ple: {energy.title['ca']}")]

    assert len(await eventually(full, "staff to be told that it is full")) == 1
