"""`convoca doctor` finds who lacks a user or a right on a broker that asks its clients who they are."""

import json
from typing import Any

from deploy.kafka.access import access_to
from deploy.kafka.rights import publisher_user
from tests.access.broker import Guarded
from tests.access.running import GuardedStack
from tests.system.outside import let_in


async def findings(stack: GuardedStack, check: str) -> list[dict[str, Any]]:
    """Give what one check finds."""
    _, out, _ = await stack.attempt("doctor", "--json")
    return [each for each in json.loads(out)["findings"] if each["check"] == check]


async def rights(stack: GuardedStack) -> dict[str, dict[str, Any]]:
    """Give what is found of rights, by user."""
    return {each["about"]: each for each in await findings(stack, "rights")}


async def test_a_user_or_a_right_that_is_missing_is_found(stack: GuardedStack, broker: Guarded) -> None:
    gone, bare = await let_in(stack, "catalogue"), await let_in(stack, "registration")
    [whole] = (await rights(stack)).values()
    assert whole["ok"]
    access = access_to(broker.as_admin)
    users = publisher_user("catalogue", gone.name), publisher_user("registration", bare.name)
    for user in users:
        await access.shut_out(user)
    await access.allow(users[1], (), "only-for-tests")
    found = await rights(stack)
    assert set(found) == set(users)
    assert found[users[0]]["says"] == "is no user of the broker"
    assert found[users[1]]["says"] == f"may not write topic {bare.topic}"
    assert f"convoca publisher remove {gone.name} --service catalogue" in found[users[0]]["do"]
    for publisher, service in ((gone, "catalogue"), (bare, "registration")):
        await stack.convoca("publisher", "remove", publisher.name, "--service", service)
    assert [each["ok"] for each in (await rights(stack)).values()] == [True]


async def test_who_is_not_its_administrator_sees_what_they_may_and_hears_what_they_may_not(
    stack: GuardedStack, broker: Guarded
) -> None:
    assert stack.naming["CONVOCA_KAFKA_SERVERS"] == broker.servers
    poor = GuardedStack(stack.url, stack.bus, stack.http, stack.logs, naming=_as_catalogue(stack))
    code, out, err = await poor.attempt("doctor", "--json")
    assert code == 1, err
    found: list[dict[str, Any]] = [each for each in json.loads(out)["findings"] if each["check"] != "settings"]
    refused = [each for each in found if each["do"] == "give this command the broker's administrator"]
    assert sorted(each["check"] for each in refused) == ["lag", "rights", "topics", "topics"]
    assert [each for each in found if not each["ok"] and each not in refused] == []
    hidden, shut = (each["says"] for each in refused if each["check"] == "topics")
    assert hidden.startswith("catalogue may not see ")
    assert "registration.people" in hidden
    assert "catalogue.workshops" not in hidden
    assert shut.startswith("catalogue may not read the settings of ")
    assert "catalogue.workshops" in shut
    lag = {each["about"]: each["ok"] for each in found if each["check"] == "lag"}
    assert lag.pop("catalogue.inbound.catalogue")
    assert list(lag.values()) == [False]
    assert {each["check"] for each in found if each["ok"]} >= {"kafka", "database", "migrations", "outbox"}


def _as_catalogue(stack: GuardedStack) -> dict[str, str]:
    password = stack.naming["CONVOCA_CATALOGUE_KAFKA_PASSWORD"]
    own = {"CONVOCA_KAFKA_USERNAME": "catalogue", "CONVOCA_KAFKA_PASSWORD": password}
    return {name: value for name, value in stack.naming.items() if "_KAFKA_ADMIN_" not in name} | own
