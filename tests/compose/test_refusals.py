"""What is missing is said at once and by its name: by compose, and by the programs themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compose.deployed import Deployed
from tests.compose.deployment import docker

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
        ("catalogue", "CONVOCA_DATABASE_URL"),
        ("registration", "CONVOCA_SECRET_KEY"),
        ("notifications", "CONVOCA_SMTP_URL"),
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
    before = {path.name: path.read_bytes() for path in stack.deployment.folder.rglob("*") if path.is_file()}
    ran = await stack.deployment.run("init")
    assert ran.code == 1
    assert "is there already" in ran.err
    assert before == {path.name: path.read_bytes() for path in stack.deployment.folder.rglob("*") if path.is_file()}
