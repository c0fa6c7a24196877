"""Who may do what on a broker that asks its clients who they are."""

from deploy.kafka.access import access_to
from deploy.kafka.admin import Refused
from deploy.kafka.rights import Right, publisher_user
from deploy.kafka.services import rights_of
from deploy.operations.doctor.findings import ADMINISTRATOR, Finding, Patient, ill, well
from deploy.operations.doctor.streams import all_topics, that_answers
from shared.events.topics import SERVICES


async def of_rights(patient: Patient) -> list[Finding]:
    """Look at the users of our services and of outside systems, and at what each lacks; its administrator is told."""
    kafka = await that_answers(patient)
    if kafka is None or not kafka.kafka_security.startswith("sasl"):
        return []
    access = access_to(kafka)
    found: list[Finding] = []
    wanted = {(patient.users[service], "convoca migrate"): rights_of(service) for service in SERVICES}
    for topic in await all_topics(patient):
        if topic.inbound:
            _, service, name = topic.name.split(".", 2)
            do = f"`convoca publisher remove {name} --service {service}`, and add it again: its password is lost"
            wanted[publisher_user(service, name), do] = (Right("write", "topic", topic.name),)
    for (user, do), rights in wanted.items():
        try:
            lacks, known = await access.lacks(user, rights), await access.knows(user)
        except Refused:
            says = f"{kafka.kafka_username} may not see what users there are, and what each may do"
            return [*found, ill("rights", f"{len(wanted)} users", says, ADMINISTRATOR)]
        if not known:
            found.append(ill("rights", user, "is no user of the broker", do))
        elif lacks:
            named = ", ".join(f"{right.does} {right.resource} {right.name}" for right in lacks)
            found.append(ill("rights", user, f"may not {named}", do))
    return found or [well("rights", f"{len(wanted)} users", "may do what they must")]
