"""One trace from the request to the mail, whichever way the request came; and what is no trace does no harm."""

import secrets

from cloudevents.core.bindings.kafka import to_binary_event

from tests.collector import Seen
from tests.system.offers import workshop
from tests.system.outside import let_in, said
from tests.system.people import Person, request
from tests.system.stack import Stack
from tests.waiting import eventually

NO_TRACES = (b"nonsense", b"00-" + b"0" * 32 + b"-" + b"1" * 16 + b"-01", b"ff-" + b"1" * 50, b"\xe9")
STEPS = {"send mail", "smtp", "process enrolment.created"}


def traceparent() -> tuple[str, str]:
    """Begin a trace, as a caller does who is traced: its id, and the header."""
    trace_id = secrets.token_hex(16)
    return trace_id, f"00-{trace_id}-{secrets.token_hex(8)}-01"


async def whole(stack: Stack, trace_id: str, *steps: str) -> list[Seen]:
    """Wait until a trace has come to its mail, by `steps` and those that every enrolment takes."""

    async def there() -> list[Seen]:
        spans = stack.collector.of(trace_id)
        return spans if {each.name for each in spans} >= STEPS.union(steps) else []

    return await eventually(there, f"the trace to go from {steps} to its mail")


async def test_one_trace_goes_from_a_request_over_http_to_the_mail(stack: Stack) -> None:
    trace_id, header = traceparent()
    energy = await stack.offer(workshop())
    asked = request(str(energy.id), Person("Ona"))
    answer = await stack.http.post("/api/registration/enrolments", json=asked, headers={"traceparent": header})
    assert answer.status_code == 201
    post, send = "POST /api/registration/enrolments", "send registration.enrolments"
    spans = await whole(stack, trace_id, post, send, "decide enrolments")
    assert {each.service for each in spans} >= {"convoca-registration", "convoca-notifications"}
    assert not [each.name for each in spans if each.failed]
    by_id = {each.span_id: each for each in spans}

    def way(span: Seen) -> list[str]:
        return [span.name, *(way(by_id[span.parent]) if span.parent in by_id else ())]

    ways = [way(each) for each in spans]
    assert ["smtp", "send mail", "process enrolment.created", post] in ways
    assert [send, post] in ways
    assert {each.parent for each in spans if each.name == post} == {header.split("-")[2]}


async def test_one_trace_goes_from_an_event_of_another_system_to_the_mail(stack: Stack) -> None:
    trace_id, header = traceparent()
    crm = await let_in(stack, "registration")
    energy = await stack.offer(workshop())
    event = said(crm, "enrolment.requested", request(str(energy.id), Person("Pau")), traceparent=header)
    await stack.bus.publish(crm.topic, event)
    spans = await whole(stack, trace_id, "process enrolment.requested")
    (first,) = [each for each in spans if each.name == "process enrolment.requested"]
    assert first.parent == header.split("-")[2]


async def test_a_request_that_names_no_trace_begins_one_that_takes_in_the_catalogue_too(stack: Stack) -> None:
    before = {each.trace_id for each in stack.collector.spans}
    energy = await stack.offer(workshop())

    async def told() -> bool:
        scheduled = "POST /api/catalogue/workshops/{key}/schedule"
        seen = [each for each in stack.collector.spans if each.name == scheduled and not each.parent]
        traces = [stack.collector.of(each.trace_id) for each in seen if each.trace_id not in before]
        reached = {"convoca-catalogue", "convoca-registration", "convoca-notifications"}
        return any({span.service for span in each} >= reached for each in traces)

    assert await eventually(told, f"a trace of {energy.slug} from its request through all services")


async def test_what_is_no_trace_is_ignored(stack: Stack) -> None:
    crm = await let_in(stack, "registration")
    energy = await stack.offer(workshop())
    for given in NO_TRACES:
        one, two = Person("Quim"), Person("Rita")
        asked = request(str(energy.id), one)
        answer = await stack.http.post("/api/registration/enrolments", json=asked, headers={b"traceparent": given})
        assert answer.status_code == 201
        message = to_binary_event(said(crm, "enrolment.requested", request(str(energy.id), two)))
        headers = (*message.headers.items(), ("traceparent", given))
        await stack.bus.send(crm.topic, (None, message.value, headers))
        await stack.told(one, 1)
        await stack.told(two, 1)


async def test_nobody_sends_but_to_the_address_of_traces(stack: Stack) -> None:
    assert stack.collector.others == []
