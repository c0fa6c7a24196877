"""The handler of the textbook: FastStream, one message, one transaction of rows, and its events published within."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from uuid import UUID

import uuid_utils.compat as uuids
import uvloop
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.registration.tables import ENROLMENT_NUMBER, Enrolment, Organisation, Person, SeatsOfAWay, Step
from shared.events.base import Event
from shared.events.registration import (
    EnrolmentCreated,
    EnrolmentRequested,
    OrganisationRegistered,
    PersonRegistered,
    SeatCount,
    SeatsChanged,
)


async def main(kafka: str, database: str, topic: str) -> None:
    """Run until killed."""
    broker = KafkaBroker(kafka)
    engine = create_async_engine(make_url(database).set(drivername="postgresql+asyncpg"))

    async def say(event: Event, key: UUID) -> None:
        headers = {"ce_id": str(uuids.uuid7()), "ce_type": event.type, "ce_source": "/convoca/registration"}
        await broker.publish(event, event.topic.name, key=str(key).encode(), headers=headers)

    @broker.subscriber(topic, group_id="textbook", auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR)
    async def enrol(request: EnrolmentRequested) -> None:
        now = datetime.now(UTC)
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            seats = (
                await session.exec(
                    select(SeatsOfAWay)
                    .where(SeatsOfAWay.workshop_id == request.workshop_id, SeatsOfAWay.attendance == request.attendance)
                    .with_for_update()
                )
            ).one()
            organisation, new_organisation = await _organisation(session, request, now)
            person, new_person = await _person(session, request, organisation, now)
            await session.flush()
            enrolment = Enrolment(
                enrolment_id=uuids.uuid7(),
                workshop_id=seats.workshop_id,
                person_id=person.person_id,
                organisation_id=organisation.organisation_id,
                attendance=request.attendance,
                state="confirmed",
                number=await session.scalar(ENROLMENT_NUMBER) or 0,
                sequence=1,
                by="publisher",
                accepted_at=now,
                updated_at=now,
                privacy_version="2026-01",
                commitment_accepted=False,
                groups=[],
            )
            session.add(enrolment)
            await session.flush()
            session.add(
                Step(enrolment_id=enrolment.enrolment_id, sequence=1, at=now, after="confirmed", by="publisher")
            )
            seats.confirmed += 1
            seats.sequence += 1
            await session.flush()
            if new_organisation:
                told = OrganisationRegistered.model_validate(organisation, from_attributes=True)
                await say(told, organisation.organisation_id)
            if new_person:
                await say(PersonRegistered.model_validate(person, from_attributes=True), person.person_id)
            created = EnrolmentCreated.model_validate(enrolment, from_attributes=True)
            await say(created, enrolment.enrolment_id)
            count = SeatCount(
                capacity=seats.capacity,
                confirmed=seats.confirmed,
                offered=0,
                waitlisted=0,
                available=(seats.capacity or 0) - seats.confirmed,
            )
            changed = SeatsChanged(workshop_id=seats.workshop_id, seats={request.attendance: count})
            await say(changed, seats.workshop_id)

    await broker.start()
    await asyncio.Event().wait()


async def _organisation(session: AsyncSession, request: EnrolmentRequested, now: datetime) -> tuple[Organisation, bool]:
    form = request.organisation
    if form is None:
        raise ValueError("the load names an organisation in every request")
    identity = f"{form.kind}:{form.country}:{form.name.casefold()}"
    known = (await session.exec(select(Organisation).where(Organisation.identity == identity))).one_or_none()
    if known is not None:
        return known, False
    made = Organisation(
        organisation_id=uuids.uuid7(), identity=identity, sequence=1, registered_at=now, **form.model_dump()
    )
    session.add(made)
    return made, True


async def _person(
    session: AsyncSession, request: EnrolmentRequested, organisation: Organisation, now: datetime
) -> tuple[Person, bool]:
    identity = request.person.email.casefold()
    known = (await session.exec(select(Person).where(Person.identity == identity))).one_or_none()
    if known is not None:
        return known, False
    made = Person(
        person_id=uuids.uuid7(),
        identity=identity,
        organisation_id=organisation.organisation_id,
        sequence=1,
        registered_at=now,
        **request.person.model_dump(),
    )
    session.add(made)
    return made, True


if __name__ == "__main__":
    uvloop.run(main(**json.loads(sys.argv[1])))
