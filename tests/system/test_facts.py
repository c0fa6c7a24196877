"""What the services say on the bus is as the contract has it, by the CNCF's own library too."""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from shared.events.topics import ENROLMENTS, OWN, PEOPLE, SEATS, WORKSHOPS
from tests.system.offers import session, workshop
from tests.system.people import Person
from tests.system.stack import Stack
from tests.system.streams import Record, facts

ALWAYS = (
    "ce_specversion",
    "ce_id",
    "ce_type",
    "ce_source",
    "ce_subject",
    "ce_time",
    "ce_dataschema",
    "ce_correlationid",
    "content-type",
)


async def test_each_step_of_an_enrolment_is_the_next_in_its_order_and_carries_all_of_it(stack: Stack) -> None:
    energy = await stack.offer(workshop(seats={"in_person": 1}))
    first, second = [await stack.enrol(energy, Person()) for _ in range(2)]
    path = f"/api/registration/enrolments/{first.enrolment_id}/withdraw"
    (await stack.http.post(path, params={"token": first.token})).raise_for_status()
    await stack.steer(energy, "reschedule", sessions=[session(17)])
    await stack.steer(energy, "cancel", reason={"ca": "Pluja."})

    own = await facts(stack.bus, ENROLMENTS, 2, enrolment_id=str(first.enrolment_id))
    steps = [("enrolment.created", "0000000001", "confirmed"), ("enrolment.withdrawn", "0000000002", "withdrawn")]
    assert [(each.header("ce_type"), each.header("ce_sequence"), each.data["state"]) for each in own] == steps
    others = await facts(stack.bus, ENROLMENTS, 3, enrolment_id=str(second.enrolment_id))
    assert [(each.header("ce_type"), each.header("ce_sequence"), each.data["state"]) for each in others] == [
        ("enrolment.created", "0000000001", "waitlisted"),
        ("enrolment.confirmed", "0000000002", "confirmed"),
        ("enrolment.cancelled", "0000000003", "cancelled"),
    ]
    assert [each.data["waitlist_position"] for each in others] == [1, None, None]
    assert len({each.data["number"] for each in others}) == 1
    said = await facts(stack.bus, WORKSHOPS, 3, workshop_id=str(energy.id))
    assert [each.header("ce_type") for each in said] == [
        "workshop.scheduled",
        "workshop.rescheduled",
        "workshop.cancelled",
    ]
    assert [each.header("ce_sequence") for each in said] == ["0000000001", "0000000002", "0000000003"]
    assert all(each.data["title"] == energy.title and each.data["slug"] == energy.slug for each in said)
    seats = [each for each in await stack.bus.records(SEATS.name) if each.data["workshop_id"] == str(energy.id)]
    assert seats[-1].data["seats"]["in_person"]["confirmed"] == 0


async def test_every_fact_on_every_stream_is_a_cloud_event_that_others_can_read(stack: Stack) -> None:
    energy, person = await stack.offer(workshop()), Person()
    await stack.enrol(energy, person)
    await stack.told(person, 1)
    await facts(stack.bus, PEOPLE, 1, email=person.address)
    for service, topics in OWN.items():
        own = [each.name for each in topics if not each.name.startswith("dead-letters.")]
        sequences: defaultdict[tuple[str, bytes | None], list[int]] = defaultdict(list)
        ids = []
        for record in await stack.bus.records(*own):
            _is_as_the_contract_says(record, service)
            ids.append(record.header("ce_id"))
            if sequence := record.header("ce_sequence"):
                assert len(sequence) == 10
                sequences[record.topic, record.key].append(int(sequence))
        assert len(ids) == len(set(ids))
        assert ids or service == "notifications"
        for each in sequences.values():
            assert each == list(range(1, len(each) + 1))


def _is_as_the_contract_says(record: Record, service: str) -> None:
    names = [name for name, _ in record.headers]
    assert set(ALWAYS) <= set(names)
    assert len(names) == len(set(names))
    event = record.event
    assert event.get_specversion() == "1.0"
    assert event.get_source() == f"/convoca/{service}"
    assert UUID(event.get_id()).version == 7
    assert record.key == (event.get_subject() or "").encode()
    assert event.get_dataschema() == f"urn:convoca:{event.get_type()}:1"
    assert event.get_datacontenttype() == "application/json"
    moment = event.get_time()
    assert isinstance(moment, datetime)
    assert moment.tzinfo is not None
    assert event.get_data() == record.data
