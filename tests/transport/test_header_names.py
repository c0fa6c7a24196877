"""A header whose name is no UTF-8 stops nobody: its record is taken, and those around it."""

from uuid import uuid4

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from sqlalchemy import text

from shared.database import Database
from shared.events.topics import Topic
from tests.clock import HandClock
from tests.conftest import MakeUrl
from tests.transport.conftest import Effects, StartService, make_effects, record_of, subscription_of
from tests.waiting import eventually


class _Bytes(str):
    """A name that is sent as bytes of its own; aiokafka's producer takes text only."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return b"x-\xff\xfe"


async def test_a_record_with_a_header_of_any_name_is_taken_and_so_are_those_around_it(
    start_service: StartService, stream: Topic, producer: AIOKafkaProducer, database_url: MakeUrl
) -> None:
    url = await database_url("registration")
    store = Database(url, "registration")
    await make_effects(store, HandClock())
    batch = _DefaultRecordBatchBuilderPy(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=100_000,
    )  # fmt: skip
    names = ["before", "odd", "between", "odd too", "after"]
    for number, name in enumerate(names):
        record = record_of(name, uuid4())
        headers = [*record.headers, (_Bytes("odd"), b"")] if name.startswith("odd") else list(record.headers)
        batch.append(number, None, record.key, record.value, headers)
    made = producer.create_batch()
    made._builder, made._relative_offset = batch, len(names)  # noqa: SLF001 - the public way takes no such name
    made.close()
    await (await producer.send_batch(made, stream.name, partition=0))
    await start_service(subscription_of(Effects(), stream, name=stream.name), url=url)

    async def all_were_taken() -> bool:
        async with store.transaction(HandClock()()) as tx:
            return list(await tx.session.scalars(text("SELECT name FROM effects ORDER BY id"))) == names

    await eventually(all_were_taken, "all five")
    await store.close()
