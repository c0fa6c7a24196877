"""`convoca up` as an operator meets it."""

import asyncio
import signal
import socket
import stat
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.deploy.running import Up, alive, convoca, free_port, status, those_in, until

KEYS = {"url", "kafka", "smtp", "pid", "processes", "databases"}
PROCESSES = {"postgres", "broker", "front", "catalogue", "registration", "notifications"}


def answers(url: str) -> bool:
    return status(url) == 200


async def query(url: str, statement: str) -> object:
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def topics(servers: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_leaves_no_process_and_no_address(tmp_path: Path, number: signal.Signals) -> None:
    up = Up(tmp_path, free_port())
    url = up.ready()
    family = up.family()
    names = {psutil.Process(pid).name() for pid in family}
    assert {"postgres", "caddy"} <= names
    assert status(url) == 200
    code, out, err = up.stop(number)
    assert (code, out, err) == (0, "", "")
    assert [pid for pid in family if alive(pid)] == []
    assert those_in(tmp_path) == []
    assert not (tmp_path / "stack.json").exists()


async def test_a_start_after_kill_9_ends_what_is_left_and_finds_the_data(tmp_path: Path) -> None:
    first = Up(tmp_path, free_port())
    await asyncio.to_thread(first.ready)
    family = first.family()
    await query(first.shown()["databases"]["registration"], "CREATE TABLE kept AS SELECT 7 AS number")
    first.stop(signal.SIGKILL)
    second = Up(tmp_path, free_port())
    await asyncio.to_thread(second.ready)
    try:
        assert [pid for pid in family if alive(pid)] == []
        assert await query(second.shown()["databases"]["registration"], "SELECT number FROM kept") == 7
    finally:
        assert second.stop()[0] == 0


def test_where_the_front_port_is_taken_one_line_says_so_and_nothing_is_left(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        up = Up(tmp_path, taken.getsockname()[1])
        code, out, err = up.end()
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "--port" in err
    assert those_in(tmp_path) == []


def test_a_stop_while_starting_leaves_nothing(tmp_path: Path) -> None:
    up = Up(tmp_path, free_port())
    until((tmp_path / "processes.json").exists)
    code, out, _ = up.stop(signal.SIGINT)
    assert (code, out) == (0, "")
    assert those_in(tmp_path) == []


def test_a_stop_takes_less_than_20_seconds_even_where_every_part_hangs(tmp_path: Path) -> None:
    up = Up(tmp_path, free_port())
    up.ready()
    parts = [psutil.Process(pid) for pid in up.shown()["processes"].values()]
    for process in [*parts, *(child for part in parts for child in part.children(recursive=True))]:
        process.suspend()
    code, _, _ = up.stop()
    assert code == 0
    until(lambda: those_in(tmp_path) == [])


def test_a_second_up_on_the_folder_is_refused_and_leaves_the_first_alone(stack: Up) -> None:
    code, out, err = Up(stack.folder, free_port()).end()
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert str(stack.process.pid) in err
    assert status(stack.shown()["url"]) == 200


def test_the_stack_is_shown_to_its_owner_as_the_contract_says(stack: Up) -> None:
    shown = stack.shown()
    assert set(shown) == KEYS
    assert set(shown["processes"]) == PROCESSES
    assert set(shown["databases"]) == {"catalogue", "registration", "notifications"}
    assert shown["pid"] == stack.process.pid
    assert all(alive(pid) for pid in shown["processes"].values())
    assert stat.S_IMODE((stack.folder / "stack.json").stat().st_mode) == 0o600


async def test_a_service_reaches_its_own_database_only(stack: Up) -> None:
    databases = stack.shown()["databases"]
    assert await query(databases["catalogue"], "SELECT current_user") == "catalogue"
    for other in ("registration", "notifications", "postgres"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await query(databases["catalogue"].rsplit("/", 1)[0] + f"/{other}", "SELECT 1")


def test_postgres_asks_for_a_password(stack: Up) -> None:
    url = stack.shown()["databases"]["catalogue"]
    bare = url.replace(url.split(":")[2].split("@")[0], "guess")
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(query(bare, "SELECT 1"))


@pytest.mark.parametrize("name", ["registration", "front", "postgres"])
def test_a_part_that_dies_is_started_again(stack: Up, name: str) -> None:
    before = stack.shown()["processes"][name]
    psutil.Process(before).kill()
    until(lambda: stack.shown()["processes"][name] != before)
    url = stack.shown()["url"]
    until(lambda: status(f"{url}/api/registration/health/ready") == 200)
    until(lambda: status(f"{url}/workshops") == 200)


def test_migrating_again_changes_nothing(stack: Up) -> None:
    runs = [convoca("migrate", folder=stack.folder) for _ in range(2)]
    assert [run.returncode for run in runs] == [0, 0]
    assert "none" in runs[1].stderr


def test_a_staff_token_is_printed_alone_and_taken_by_every_service(stack: Up) -> None:
    made = convoca("token", "create", "--scope", "staff", "--name", "maria", folder=stack.folder)
    (token,) = made.stdout.splitlines()
    url = stack.shown()["url"]
    guarded = f"{url}/api/notifications/notices"
    assert httpx.get(guarded).status_code == 401
    assert httpx.get(guarded, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert convoca("token", "revoke", "maria", folder=stack.folder).returncode == 0
    assert httpx.get(guarded, headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert httpx.get(guarded, headers={"Authorization": "Basic bm90aGluZw=="}).status_code == 401
