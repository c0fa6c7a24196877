"""What people and systems do, through the only door that there is."""

import httpx
from cloudevents.core.bindings.http import to_binary_event

from tests.compose.deployed import WRITTEN, Deployed, record
from tests.system.offers import workshop
from tests.system.outside import said
from tests.system.people import Person, request
from tests.system.stack import Enrolled


async def test_staff_offer_a_workshop_somebody_enrols_and_is_written_to(stack: Deployed) -> None:
    offered = await stack.offer(workshop())
    page = await stack.http.get(f"/workshops/{offered.slug}", headers={"accept-language": "ca"})
    assert offered.title["ca"].split()[-1] in page.text  # its own mark, which nothing else is called
    person = Person()
    enrolled: Enrolled = await stack.enrol(offered, person)
    assert enrolled.state == "confirmed"
    (mail,) = await stack.told(person, 1)
    assert offered.title["ca"] in mail.subject
    assert mail.manage_url.startswith(stack.url)
    assert (await stack.http.get(mail.manage_url)).status_code == httpx.codes.OK


async def test_the_programme_that_the_image_brings_is_imported(stack: Deployed) -> None:
    await stack.convoca("import", "deploy/demo/programme.yaml", "--redate")
    shown = await stack.pages("/api/catalogue/workshops", {}, {})
    assert "smcnetzero" in {each["programme"] for each in shown}


async def test_another_system_speaks_over_kafka_and_over_http(stack: Deployed) -> None:
    offered = await stack.offer(workshop())
    by_kafka, by_http = Person("Nil"), Person("Mar")
    crm = await stack.let_in("registration")
    asked = said(crm, "enrolment.requested", request(str(offered.id), by_kafka))
    assert await stack.write(crm.kafka, record(crm.topic, asked)) == [WRITTEN]
    message = to_binary_event(said(crm, "enrolment.requested", request(str(offered.id), by_http)))
    headers = {**message.headers, "Authorization": f"Bearer {crm.token}"}
    taken = await stack.http.post("/api/registration/events", content=message.body, headers=headers)
    assert taken.status_code == httpx.codes.ACCEPTED
    for person in (by_kafka, by_http):
        (mail,) = await stack.told(person, 1)
        assert offered.title["ca"] in mail.subject


async def test_what_is_for_inside_is_not_shown(stack: Deployed) -> None:
    for service in ("catalogue", "registration", "notifications"):
        answer = await stack.http.get(f"/api/{service}/metrics")
        assert answer.status_code == httpx.codes.NOT_FOUND
        assert (await stack.http.get(f"/api/{service}/health/ready")).json()["status"] == "ready"


async def test_to_migrate_again_changes_nothing(stack: Deployed) -> None:
    for _ in range(2):
        ran = await stack.deployment.run("migrate")
        assert ran.code == 0, ran.err
        assert "none, all were there" in ran.err
    assert (await stack.http.get("/api/catalogue/workshops")).status_code == httpx.codes.OK
