"""A broker that is asked of groups may not be ready to answer: that passes, what else it says does not."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from deploy.kafka.admin import Refused, answered_of_groups
from shared.errors import Unavailable

LOADING = KafkaError.COORDINATOR_LOAD_IN_PROGRESS


class Broker:
    """Says of each group what it is told to say: an error's number, or anything else as its answer."""

    def __init__(self, **says: list[object]) -> None:
        self.says = says
        self.asked: list[list[str]] = []

    def __call__(self, groups: list[str]) -> dict[str, "Future[Any]"]:
        self.asked.append(groups)
        answers: dict[str, Future[Any]] = {group: Future() for group in groups}
        for group, future in answers.items():
            said = self.says[group].pop(0)
            if isinstance(said, int):
                future.set_exception(KafkaException(KafkaError(said)))
            else:
                future.set_result(said)
        return answers


async def test_a_group_is_asked_of_again_until_the_broker_has_read_what_it_keeps_of_it() -> None:
    broker = Broker(one=["there"], two=[LOADING, KafkaError.COORDINATOR_NOT_AVAILABLE, "there too"])
    assert await answered_of_groups(broker, ["one", "two"], ()) == {"one": "there", "two": "there too"}
    assert broker.asked == [["one", "two"], ["two"], ["two"]]


async def test_a_broker_that_is_not_ready_in_time_is_not_waited_for() -> None:
    with pytest.raises(Unavailable):
        await answered_of_groups(Broker(one=[LOADING, "there"]), ["one"], (), seconds=0)


async def test_a_group_that_is_not_there_is_left_out() -> None:
    broker = Broker(one=[KafkaError.NOT_COORDINATOR], two=["there"])
    assert await answered_of_groups(broker, ["one", "two"], {KafkaError.NOT_COORDINATOR}) == {"two": "there"}
    assert len(broker.asked) == 1


async def test_what_does_not_pass_is_raised_at_once() -> None:
    with pytest.raises(Refused):
        await answered_of_groups(Broker(one=[KafkaError.GROUP_AUTHORIZATION_FAILED, "there"]), ["one"], ())
