"""`convoca events`: see what passes, and send what an outside system would."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from deploy import stream
from deploy.cli.replay import replay
from deploy.cli.target import target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, Json, answer, fail, group, refuse, say
from shared.events.topics import inbound
from shared.messaging.envelope import Envelope, Record, Unreadable, unseal
from shared.settings import KafkaSettings, first_fault

app = group("events", "What passes over Kafka.")
app.command()(replay)
PUBLISHERS = "/publishers/"
TAKEN_BY_REGISTRATION = ("enrolment.", "organisation.")
OnlyTopic = Annotated[str | None, typer.Option("--topic", metavar="T", help="Only this topic.")]
OnlyType = Annotated[str | None, typer.Option("--type", metavar="X", help="Only events of this type.")]
Whole = Annotated[bool, typer.Option("--from-start", help="From what the broker still has, not from now on.")]
Count = Annotated[int | None, typer.Option("--count", metavar="N", min=1, help="End after so many.")]
ToTopic = Annotated[str | None, typer.Option("--topic", metavar="T", help="Else the source's own inbound topic.")]


@app.command()
def tail(
    topic: OnlyTopic = None,
    of_type: OnlyType = None,
    whole: Whole = False,  # noqa: FBT002 - an option of a command
    count: Count = None,
    as_json: Json = False,  # noqa: FBT002
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Show events as they pass, until Ctrl-C: one a line, with --json as CloudEvents in structured mode.

    Example: convoca events tail --topic registration.enrolments --type enrolment.created --json
    """
    kafka = target(data).kafka()

    async def work() -> None:
        shown = 0
        async with stream.records(kafka, topic, whole=whole) as passing:
            say(f"following {topic or 'all topics'} at {kafka.kafka_servers}")
            async for record in passing:
                line = _line(record, of_type, as_json=as_json)
                if line is not None:
                    answer(line)
                    shown += 1
                if shown == count:
                    return

    try:
        asyncio.run(work())
    except KeyboardInterrupt:
        return


@app.command()
def publish(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CloudEvents as JSON: one, a list, or one a line.")],
    topic: ToTopic = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Send CloudEvents over Kafka, as the outside system that their source names.

    Example: convoca events publish workshop.json --topic inbound.catalogue.city-cms
    """
    by_topic: dict[str, list[stream.CloudEvent]] = {}
    for event in _read(file):
        by_topic.setdefault(topic or _topic_of(event), []).append(event)
    kafka = target(data).kafka()
    asyncio.run(_publish(kafka, by_topic))
    for name, events in by_topic.items():
        say(f"{len(events)} sent to {name}")


async def _publish(kafka: KafkaSettings, by_topic: dict[str, list[stream.CloudEvent]]) -> None:
    for topic, events in by_topic.items():
        await stream.publish(kafka, topic, events)


def _topic_of(event: stream.CloudEvent) -> str:
    if not event.source.startswith(PUBLISHERS):
        fail(f"the event {event.id} is of {event.source}, not of {PUBLISHERS}NAME; say --topic")
    service = "registration" if event.type.startswith(TAKEN_BY_REGISTRATION) else "catalogue"
    return inbound(service, event.source.removeprefix(PUBLISHERS)).name


def _read(file: Path) -> list[stream.CloudEvent]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        refuse(f"{file} cannot be read ({error.strerror})")
    except UnicodeDecodeError as error:
        fail(f"{file} cannot be read ({error})")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    try:
        if found is None:
            return [stream.CloudEvent.model_validate_json(line) for line in text.splitlines() if line.strip()]
        return [stream.CloudEvent.model_validate(each) for each in (found if isinstance(found, list) else [found])]
    except ValidationError as error:
        fail(f"{file} holds something that is no CloudEvent: {first_fault(error)}")


def _line(record: Record, of_type: str | None, *, as_json: bool) -> str | None:
    """Show one record; None where it is not asked for."""
    try:
        envelope, data = unseal(record)
    except Unreadable as error:
        if of_type is not None:
            return None
        return json.dumps(_place(record) | {"unreadable": str(error)}) if as_json else _plain(record, None, str(error))
    if of_type not in {None, envelope.type}:
        return None
    return _structured(record, envelope, data) if as_json else _plain(record, envelope, "")


def _plain(record: Record, envelope: Envelope | None, remark: str) -> str:
    if envelope is None:
        key = (record.key or b"").decode("utf-8", "replace")
        return f"{'-':32} {record.topic:28} {'erased' if record.value is None else remark:28} {key}"
    at = envelope.time.isoformat() if envelope.time else "-"
    return f"{at:32} {record.topic:28} {envelope.type:28} {envelope.subject or '-'}"


def _structured(record: Record, envelope: Envelope, data: bytes) -> str:
    try:
        content = json.loads(data)
    except ValueError:
        content = data.decode("utf-8", "replace")
    event = {
        "specversion": "1.0",
        "id": envelope.id,
        "source": envelope.source,
        "type": envelope.type,
        "subject": envelope.subject,
        "time": envelope.time and envelope.time.isoformat(),
        "sequence": envelope.sequence,
        "causationid": envelope.causation_id,
        "correlationid": envelope.correlation_id,
        "datacontenttype": "application/json",
        "data": content,
    }
    known = {name: value for name, value in event.items() if value is not None}
    return json.dumps(known | _place(record), ensure_ascii=False)


def _place(record: Record) -> dict[str, object]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}
