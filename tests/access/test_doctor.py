"""`convoca doctor` finds who lacks a user or a right on a broker that asks its clients who they are."""

import json
from typing import Any

from deploy.kafka.access import access_to
from deploy.kafka.rights import publisher_user
from tests.access.broker import Guarded
from tests.access.running import GuardedStack
from tests.system.outside import let_in


async def rights(stack: GuardedStack) -> dict[str, dict[str, Any]]:
    """Give what is found of rights, by user."""
    _, out, _ = await stack.attempt("doctor", "--json")
    return {each["about"]: each for each in json.loads(out)["findings"] if each["check"] == "rights"}


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
