"""What is missing is said at once and by its name: by compose, and by the programs themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compose.deployed import Deployed
from tests.compose.deployment import Deployment, docker

SECRETS = {"signing_key": "catalogue", "kafka_jaas": "kafka", "postgres_password": "postgres", "office": "registration"}


@contextmanager
def hidden(path: Path) -> Iterator[None]:
    """Have a file away for a while."""
    kept = path.with_name(f"{path.name}.kept")
    path.rename(kept)
    try:
        yield
    finally:
        assert not path.exists(), "something was made in the place of what is missing"
        kept.rename(path)


def held(folder: Path) -> dict[str, bytes]:
    """Give what lies in a folder; a folder in it counts too."""
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize(("secret", "service"), SECRETS.items())
async def test_compose_names_a_secret_that_is_missing_and_starts_nothing_without_it(
    stack: Deployed, secret: str, service: str
) -> None:
    folder = stack.deployment.folder
    path = folder / "office.yaml" if secret == "office" else folder / "secrets" / secret
    with hidden(path):
        ran = await stack.deployment.run(service)
    assert ran.code != 0
    assert str(path) in ran.err


@pytest.mark.parametrize(
    ("service", "setting"),
    [
        ("catalogue", "DATABASE_URL"),
        ("registration", "SECRET_KEY"),
        ("notifications", "SMTP_URL"),
    ],
)
async def test_a_service_names_a_secret_that_it_cannot_read(stack: Deployed, service: str, setting: str) -> None:
    gone = ("--no-deps", "--env", f"CONVOCA_{setting}_FILE=/run/secrets/gone")
    ran = await stack.deployment.run(service, options=gone)
    assert ran.code == 2, ran.err
    (said,) = [line for line in ran.err.splitlines() if line.startswith("convoca ")]
    assert (
        said
        == f"convoca {service}: CONVOCA_{setting}_FILE: /run/secrets/gone cannot be read (No such file or directory)"
    )


async def test_kafka_names_a_secret_that_it_cannot_read(stack: Deployed) -> None:
    image = (await stack.deployment.inspect("kafka"))["Config"]["Image"]
    script = (await stack.deployment.inspect("kafka"))["HostConfig"]["Binds"]
    mounts = [part for bind in script if "/etc/convoca/" in bind for part in ("--volume", bind)]
    ran = await docker("run", "--rm", *mounts, "--entrypoint", "bash", image, "/etc/convoca/start.sh")
    assert ran.code == 2
    assert "the secret /run/secrets/kafka_jaas is missing or cannot be read" in ran.err


async def test_init_does_not_touch_a_deployment_that_is_there(stack: Deployed) -> None:
    before = held(stack.deployment.folder)
    ran = await stack.deployment.run("init")
    assert ran.code == 1
    assert "is there already" in ran.err
    assert held(stack.deployment.folder) == before


async def test_before_init_nothing_runs_and_compose_names_what_is_missing(stack: Deployed, tmp_path: Path) -> None:
    empty = Deployment(tmp_path, f"{stack.deployment.project}-empty")
    try:
        ran = await empty.compose("up", "--detach", "--wait")
        assert ran.code != 0
        assert str(tmp_path) in ran.err
        assert [each["Service"] for each in (await empty.containers()).values() if each["State"] == "running"] == []
        assert held(tmp_path) == {}
    finally:
        await empty.compose("--profile", "*", "down", "--volumes")
