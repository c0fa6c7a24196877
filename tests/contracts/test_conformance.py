"""Our envelopes before an outside judge: the CNCF's own library reads what we write, and we what it writes."""

from dataclasses import replace
from datetime import datetime

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, to_binary_event, to_structured_event

from shared.messaging.envelope import Envelope, Outgoing, seal, unseal
from tests.contracts.golden import SAMPLES, Sample, as_event, record_of

by_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
by_fact = pytest.mark.parametrize(
    "sample", [each for each in SAMPLES if not each.shape.topic.inbound], ids=lambda sample: sample.name
)


def sealed(sample: Sample) -> Outgoing:
    """Let today's writer say what the sample says."""
    written = sample.written
    sequence = written.get("sequence")
    cause = None
    if "causationid" in written:
        cause = Envelope(
            id=written["causationid"],
            source="/publishers/cms",
            type="any",
            correlation_id=written["correlationid"],
            traceparent=written["traceparent"],
        )
    return seal(
        sample.shape.model_validate(written["data"]),
        source=written["source"],
        key=written["subject"],
        sequence=sequence and int(sequence),
        now=datetime.fromisoformat(written["time"]),
        cause=cause,
    )


@by_fact
def test_the_judge_reads_in_what_we_write_what_the_sample_says(sample: Sample) -> None:
    message = sealed(sample)
    read = as_event(from_binary_event(KafkaMessage(_headers(message), message.key, message.value or b"")))
    attributes, expected = dict(read.get_attributes()), dict(sample.event.get_attributes())
    assert attributes.pop("partitionkey") == expected["subject"]
    assert (dict(message.headers).get("traceparent") or b"").decode() == expected.pop("traceparent", "")
    own, theirs = attributes.pop("id"), expected.pop("id")
    assert own == message.event_id != theirs
    if "causationid" not in expected:
        assert (attributes.pop("correlationid"), expected.pop("correlationid")) == (own, theirs)
    assert attributes == expected
    assert read.get_data() == sample.shape.model_validate(sample.written["data"]).model_dump(mode="json")


@by_fact
def test_what_we_write_is_what_the_protocol_asks(sample: Sample) -> None:
    message = sealed(sample)
    headers = _headers(message)
    assert len(headers) == len(message.headers)
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_subject"] == message.key
    assert headers["ce_source"] == f"/convoca/{sample.shape.topic.name.partition('.')[0]}".encode()
    assert headers["ce_dataschema"] == f"urn:convoca:{sample.shape.type}:{sample.shape.version}".encode()
    assert headers["content-type"] == b"application/json"
    assert datetime.fromisoformat(headers["ce_time"].decode()).utcoffset() is not None
    if "ce_sequence" in headers:
        assert len(headers["ce_sequence"]) == 10
        assert headers["ce_sequence"].isdigit()


@by_sample
def test_we_read_what_the_judge_writes_in_either_mode(sample: Sample) -> None:
    expected = unseal(sample.record)[0]
    understood = sample.shape.model_validate(sample.written["data"])
    for write in (to_binary_event, to_structured_event):
        envelope, data = unseal(record_of(write(sample.event)))
        assert envelope == replace(expected, time=expected.time or envelope.time)  # it makes up a time, where none is
        assert sample.shape.model_validate_json(data) == understood


def _headers(message: Outgoing) -> dict[str, bytes]:
    return {name: value for name, value in message.headers if value is not None}
