"""pg_dump is one that is new enough for the server: from PATH, else from the wheel; none of them is told secrets."""

import contextlib
import stat
from pathlib import Path

import pytest

from deploy.operations.filling import filling
from deploy.operations.programs import NEEDED, NoPrograms, Programs, environment_for, programs_for
from deploy.operations.snapshots import DumpFailed

WHEEL, NEWEST = 18, 99


def on_path(folder: Path, version: int) -> str:
    for name in NEEDED:
        program = folder / name
        program.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}.3 (Some 1)'\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(folder)


@pytest.mark.parametrize(("version", "from_path"), [(WHEEL, True), (WHEEL + 1, True), (WHEEL - 1, False)])
async def test_programs_on_path_are_used_where_they_are_new_enough(
    tmp_path: Path, version: int, *, from_path: bool
) -> None:
    found = await programs_for(WHEEL, on_path(tmp_path, version))
    assert (found.folder == tmp_path) == from_path


async def test_where_none_is_new_enough_one_line_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(NoPrograms, match=f"PostgreSQL {NEWEST}.*{tmp_path} has 15") as refused:
        await programs_for(NEWEST, on_path(tmp_path, 15))
    assert len(str(refused.value).splitlines()) == 1


def test_a_password_stands_on_no_command_line() -> None:
    address, surroundings = environment_for("postgresql://maria:s%40cret@db.example.org:5433/catalogue?sslmode=require")
    assert address == "postgresql://maria@db.example.org:5433/catalogue?sslmode=require"
    assert surroundings["PGPASSWORD"] == "s@cret"


TELLS = """#!/bin/sh
env > "$(dirname "$0")/$(basename "$0").told"
echo 'pg_dump (PostgreSQL) 18.0'
[ "$1" = --version ] || cat > /dev/null
"""


async def test_programs_are_told_no_secrets_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NEEDED:
        program = tmp_path / name
        program.write_text(TELLS)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    secrets = ("CONVOCA_SECRET_KEY", "CONVOCA_CATALOGUE_DATABASE_URL", "PGPASSWORD")
    for name in secrets:
        monkeypatch.setenv(name, "s@cret-of-ours")

    await programs_for(WHEEL, str(tmp_path))
    async with filling("postgresql://maria:w0rd@db.example.org/catalogue", Programs(tmp_path)) as place:
        with contextlib.suppress(DumpFailed):
            await place.fill(lambda _: b"", lambda _: None)

    told = {name: (tmp_path / f"{name}.told").read_text() for name in NEEDED}
    assert {name for name, words in told.items() if "s@cret-of-ours" in words} == set()
    assert {name for name, words in told.items() if "w0rd" in words} == {"psql"}
