"""What is in an image, and what a container may do: looked at from within."""

import json
import re

import pytest

from deploy.cli.command import EMBEDDED, VERBS
from shared.events.topics import SERVICES
from tests.compose.deployed import Deployed
from tests.compose.deployment import LASTING, OURS, docker
from tests.deploy.compose_file import read, sources_of

NEVER = ("confluent", "typer", "pytest", "embedded", "cyclonedx", "psycopg")
INSIDE = """
import importlib.metadata, json, os, shutil
print(json.dumps({
    "services": sorted(os.listdir("/app/services")), "app": sorted(os.listdir("/app")), "user": os.getuid(),
    "installed": sorted(each.name.lower() for each in importlib.metadata.distributions()),
    "tools": [tool for tool in ("gcc", "cc", "g++", "make", "psql", "pg_dump", "convoca") if shutil.which(tool)],
    "cache": [path for path in ("/root/.cache", "/tmp/pip") if os.path.exists(path)],
    "bom": json.load(open("/opt/convoca/sbom.cdx.json"))["components"],
}))
"""


@pytest.mark.parametrize("service", SERVICES)
async def test_an_image_holds_its_service_and_what_that_stands_on(stack: Deployed, service: str) -> None:
    ran = await stack.deployment.compose("exec", "-T", service, "python", "-c", INSIDE)
    inside = json.loads(ran.well())
    assert (inside["services"], inside["app"]) == ([service], ["services", "shared"])
    assert (inside["tools"], inside["cache"], inside["user"] > 0) == ([], [], True)
    assert [name for name in inside["installed"] if name.startswith(NEVER)] == []
    assert "icalendar" in inside["installed"] or service == "registration"
    listed = {each["name"].lower() for each in inside["bom"]}
    assert listed >= {"fastapi", "asyncpg", "aiokafka"}
    assert {each.replace("_", "-") for each in listed} <= {each.replace("_", "-") for each in inside["installed"]}
    assert all(each["version"] for each in inside["bom"])


async def test_ops_has_the_client_programs_of_the_server_that_runs(stack: Deployed) -> None:
    dump = (await stack.deployment.run("ops", "--version", options=("--entrypoint", "pg_dump"))).well()
    server = (await stack.deployment.compose("exec", "-T", "postgres", "postgres", "--version")).well()
    assert dump.split()[2].partition(".")[0] == server.split()[2].partition(".")[0]


async def test_ops_knows_every_verb_but_those_that_are_a_deployment_themselves(stack: Deployed) -> None:
    verbs = set(re.findall(r"^[^\w-]+([a-z][a-z-]*) {2,}", await stack.convoca("--help"), re.MULTILINE))
    assert verbs == set(VERBS) - set(EMBEDDED)


@pytest.mark.parametrize("name", LASTING)
async def test_a_container_runs_as_the_file_says(stack: Deployed, name: str) -> None:
    about = await stack.deployment.inspect(name)
    host, image = about["HostConfig"], about["Config"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert host["PidsLimit"] > 0
    assert image["User"].partition(":")[0] not in ("", "0", "root")
    published = {port: places for port, places in host["PortBindings"].items() if places}
    assert bool(published) == (name == "caddy")
    words = [path.read_text().strip() for path in (stack.deployment.folder / "secrets").iterdir()]
    shown = json.dumps((await docker("inspect", about["Id"])).well())
    assert [word for word in words if word in shown and not word.startswith("smtp://mailpit")] == []


@pytest.mark.parametrize("name", OURS)
async def test_a_service_writes_nowhere_but_to_its_memory(stack: Deployed, name: str) -> None:
    tried = (
        "for d in / /app /opt/convoca /var/tmp /run/secrets; do touch $d/x 2>/dev/null && echo $d; done; touch /tmp/x"
    )
    assert (await stack.deployment.compose("exec", "-T", name, "sh", "-c", tried)).well() == ""


async def test_nothing_but_the_front_door_and_the_mails_reaches_the_world(stack: Deployed) -> None:
    networks = {
        name: {each.removeprefix(f"{stack.deployment.project}_") for each in about["NetworkSettings"]["Networks"]}
        for name in LASTING
        for about in [await stack.deployment.inspect(name)]
    }
    assert {name for name, theirs in networks.items() if theirs & {"outside", "outgoing"}} == {"caddy", "notifications"}
    assert "stores" not in networks["caddy"]


async def test_compose_reads_the_file_as_the_policy_on_it_does(stack: Deployed) -> None:
    rendered = json.loads((await stack.deployment.compose("--profile", "*", "config", "--format", "json")).well())
    ours = read()["services"]
    assert set(rendered["services"]) == set(ours)
    for name, service in rendered["services"].items():
        assert {each["source"] for each in service.get("secrets", [])} == sources_of(ours[name])
        assert set(service.get("networks") or {}) == set(ours[name].get("networks", []))
        for what in ("read_only", "cap_drop", "user", "security_opt", "restart"):
            assert service[what] == ours[name][what], f"{name}: {what}"
