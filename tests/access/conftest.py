"""One whole system on a guarded broker for all tests here; each lets in systems of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.access.broker import Guarded, guarded
from tests.access.running import GuardedStack, on_guarded
from tests.brokers import Parts, postgres_in_a_container


@pytest.fixture(scope="package")
def broker() -> Iterator[Guarded]:
    """Give Apache Kafka with users and ACLs."""
    with guarded() as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def stack(broker: Guarded, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GuardedStack]:
    """Give the whole system, each service a user of its own; `stack.bus` is the administrator's."""
    with postgres_in_a_container() as url:
        parts = Parts(broker.servers, url, embedded=False)
        async with on_guarded(broker, parts, tmp_path_factory.mktemp("guarded")) as whole:
            token = await whole.convoca("token", "create", "--scope", "staff", "--name", "journeys")
            whole.staff = {"Authorization": f"Bearer {token.strip()}"}
            yield whole
