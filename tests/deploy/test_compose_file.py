"""What docker-compose.yml and its overlays must hold to, whoever changes them: rights, secrets, limits, settings."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from deploy.compose.making import Wishes, make
from deploy.compose.secrets import drawn
from deploy.embedded.programs import DRAIN
from services.notifications.settings import Settings
from services.registration.settings import RegistrationSettings
from shared import VERSION
from shared.events.topics import SERVICES
from shared.settings import PREFIX, ServiceSettings
from tests.deploy.compose_file import OVERLAYS, PROJECT, Service, files_of, read, seconds, sources_of, variables

FILE = read()
ALL: dict[str, dict[str, Any]] = FILE["services"]
WITH: dict[str, dict[str, Any]] = {"base": FILE, **{name: read(name) for name in OVERLAYS}}
"""The file alone, and with each overlay over it."""
PASSING = {"migrate", "ops", "init"}
PUBLISHED = {"kafka-public": {"kafka"}, "observability": {"grafana"}}
REACHING_OUT = {"observability": {"collector"}}  # which may hand traces on
BROUGHT = {
    "kafka_certificate": "./certificates/kafka.crt",
    "kafka_ca": "./certificates/kafka-ca.crt",
    "kafka_key": "./secrets/kafka_key",
}
"""What the office puts there itself."""
OURS = sorted(name for name, each in ALL.items() if "build" in each)
KNOWN: dict[str, type[ServiceSettings]] = {
    "catalogue": ServiceSettings,
    "registration": RegistrationSettings,
    "notifications": Settings,
}
OPERATORS = re.compile(
    r"CONVOCA_(KAFKA_(SERVERS|SECURITY|REPLICATION|PUBLIC_SERVERS|PUBLIC_CA_FILE|ADMIN_USERNAME|ADMIN_PASSWORD_FILE)"
    r"|REPLAY_DAYS|POSTGRES_ADMIN_URL_FILE|PUBLIC_URL|SECRET_KEY_FILE|SMTP_URL(_FILE)?"
    r"|(CATALOGUE|REGISTRATION|NOTIFICATIONS)_((DATABASE_URL|KAFKA_PASSWORD)_FILE|UPSTREAM))"
)
"""What deploy/cli/target.py, `backup`, `restore` and `doctor` read."""


def each_of(chosen: Callable[[str], bool]) -> pytest.MarkDecorator:
    """Run a test on services by their names, as they are in the file alone and, where it differs, with each overlay."""
    found = {
        f"{overlay}:{name}": (name, service)
        for overlay, file in WITH.items()
        for name, service in file["services"].items()
        if chosen(name) and (overlay == "base" or service != ALL.get(name))
    }
    return pytest.mark.parametrize(("name", "service"), found.values(), ids=found)


every_service = each_of(lambda _: True)
each_of_ours = each_of(lambda name: name in SERVICES)
each_file = pytest.mark.parametrize("file", WITH.values(), ids=WITH)


@every_service
def test_a_container_may_do_little(name: str, service: Service) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "ipc", "devices", "userns_mode"} & set(service)
    assert not [each for each in service.get("volumes", []) if "docker.sock" in str(each)]
    user, _, group = str(service["user"]).partition(":")
    if name == "init":  # gives the files that it makes to the folder's owner; it reaches nothing else
        assert (user, service["network_mode"], sources_of(service)) == ("0", "none", set())
        assert service["cap_add"] == ["CHOWN", "DAC_OVERRIDE", "FOWNER"]
    else:
        assert int(user) > 0
        assert int(group) > 0
        assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])


@every_service
def test_a_container_takes_no_more_than_its_share(name: str, service: Service) -> None:  # noqa: ARG001
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert float(limits["cpus"]) <= 1, "compose refuses more processors than a small machine has"
    assert service["logging"]["driver"] == "json-file"
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}


@each_of(lambda name: name not in PASSING)
def test_what_lasts_is_watched_and_started_again(name: str, service: Service) -> None:
    assert service["restart"] == "unless-stopped"
    if name in ("mailpit", "collector"):  # one image brings a check of its own, one has nothing that could check
        assert "healthcheck" not in service
    else:
        assert service["healthcheck"]["test"]


@each_of_ours
def test_a_service_has_the_time_to_drain(name: str, service: Service) -> None:  # noqa: ARG001
    assert seconds(service["stop_grace_period"]) > DRAIN


@every_service
def test_an_image_has_an_exact_version(name: str, service: Service) -> None:
    _, _, tag = service["image"].rpartition(":")
    assert re.search(r"\d", tag)
    assert "latest" not in tag
    if name in OURS:
        assert tag == VERSION


def test_the_base_of_an_image_has_an_exact_version_and_the_same_in_both_places() -> None:
    for path in ("services/Dockerfile", "deploy/Dockerfile", "deploy/caddy/Dockerfile"):
        text = (PROJECT / path).read_text(encoding="utf-8")
        ((argument, default),) = re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", text, re.MULTILINE)
        assert re.search(r":\d", default)
        assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) <= {f"${{{argument}}}", "tools"}
        used = {ALL[name]["build"]["args"].get(argument) for name in OURS if ALL[name]["build"]["dockerfile"] == path}
        assert used == {default}


def test_only_the_front_door_is_published() -> None:
    assert [name for name, service in ALL.items() if "ports" in service or "network_mode" in service] == [
        "caddy",
        "init",
    ]
    assert ALL["caddy"]["networks"] == ["outside", "inside"]


@pytest.mark.parametrize("overlay", WITH)
def test_what_is_published_and_what_reaches_out_is_named_here(overlay: str) -> None:
    file = WITH[overlay]
    published = {name for name, service in file["services"].items() if "ports" in service}
    assert published == {"caddy"} | PUBLISHED.get(overlay, set())
    for name in published:
        assert {port.split(":")[0] for port in file["services"][name]["ports"]} == {"127.0.0.1"}, "unless .env says so"
    reach_out = {
        name for name, network in file["networks"].items() if not (network.get("internal") or _leads_in(network))
    }
    assert {name for name, each in file["services"].items() if reach_out & set(each.get("networks", []))} == {
        "caddy",
        "notifications",  # which hands mails to a relay
        "ops",  # which asks the relay whether it answers
    } | REACHING_OUT.get(overlay, set())


def _leads_in(network: dict[str, Any]) -> bool:
    """Tell whether one is asked through a network, and cannot ask."""
    return bool(network.get("driver_opts", {}).get("com.docker.network.bridge.enable_ip_masquerade") == "false")


@every_service
def test_a_secret_comes_as_a_file(name: str, service: Service) -> None:
    environment: dict[str, Any] = service.get("environment", {})
    named = [key for key in environment if re.search("PASSWORD|SECRET|TOKEN|DATABASE_URL|ADMIN_URL|JAAS", key)]
    assert [key for key in named if not key.endswith("_FILE")] == []
    shown = {
        path.removeprefix("/run/secrets/") for path in environment.values() if str(path).startswith("/run/secrets")
    }
    if not name.startswith("kafka"):  # whose script names its own itself
        assert shown == files_of(service)


def test_each_secret_is_made_and_each_that_is_made_is_used() -> None:
    file = read(*OVERLAYS)
    named = {name: secret["file"] for name, secret in file["secrets"].items()}
    brought = {"office": "./office.yaml", **BROUGHT}
    made = {name: f"./secrets/{name}" for name in drawn("smtp://relay.example.org")}
    assert named == {**made, **brought}
    assert set().union(*map(sources_of, file["services"].values())) == {*made, *brought}


@each_of_ours
def test_a_service_sees_its_own_secrets_only(name: str, service: Service) -> None:
    seen = sources_of(service)
    assert {each for each in seen for other in SERVICES if other != name and each.startswith(other)} == set()
    assert not {each for each in seen if "admin" in each or "postgres" in each}


@each_of_ours
def test_a_service_knows_each_setting_that_it_is_told(name: str, service: Service) -> None:
    told = {key.removesuffix("_FILE") for key in service["environment"]}
    assert told <= {f"{PREFIX}{field.upper()}" for field in KNOWN[name].model_fields}
    needed = {f"{PREFIX}{field.upper()}" for field, about in KNOWN[name].model_fields.items() if about.is_required()}
    assert needed <= told


@each_of(lambda name: name in {"migrate", "ops"})
def test_the_command_knows_each_setting_that_it_is_told(name: str, service: Service) -> None:  # noqa: ARG001
    assert [key for key in service["environment"] if not OPERATORS.fullmatch(key)] == []


@each_of(lambda name: name == "caddy")
def test_the_front_door_knows_each_setting_that_it_is_told(name: str, service: Service) -> None:  # noqa: ARG001
    text = (PROJECT / "deploy/caddy/Caddyfile").read_text(encoding="utf-8")
    assert [key for key in service["environment"] if f"{{${key}" not in text] == []


@each_file
def test_all_who_speak_to_kafka_are_told_of_the_same_nodes(file: dict[str, Any]) -> None:
    nodes = {f"{name}:9092" for name, each in file["services"].items() if "kafka" in each["image"]}
    told = {
        frozenset(servers.split(","))
        for each in file["services"].values()
        if (servers := each.get("environment", {}).get("CONVOCA_KAFKA_SERVERS"))
    }
    assert told == {frozenset(nodes)}


@each_file
def test_the_front_door_knows_each_of_a_services_containers(file: dict[str, Any]) -> None:
    for name in SERVICES:
        replicas = file["services"][name]["deploy"].get("replicas")
        upstreams = file["services"]["caddy"]["environment"][f"CONVOCA_{name.upper()}_UPSTREAM"].split()
        alone = [f"{name}:8000"]
        assert upstreams == ([f"convoca-{name}-{each + 1}:8000" for each in range(replicas)] if replicas else alone)


@pytest.mark.parametrize("demo", [True, False])
def test_init_writes_settings_that_the_file_asks_for(tmp_path: Any, *, demo: bool) -> None:  # noqa: ANN401
    smtp = None if demo else "smtp://relay.example.org"
    make(tmp_path, Wishes("https://convoca.example.org", "name", "Oficina", "office@example.org", smtp))
    lines = (tmp_path / ".env").read_text(encoding="utf-8").splitlines()
    written = {line.lstrip("#").partition("=")[0] for line in lines if re.match(r"#?[A-Z_]+=", line)}
    passed_on = {key for each in ALL.values() for key, value in each.get("environment", {}).items() if value is None}
    asked = variables(*OVERLAYS) | passed_on | {"COMPOSE_PROFILES"}
    assert written <= asked
    left_to_others = {"COMPOSE_PROJECT_NAME", "CONVOCA_FOLDER", "CONVOCA_IMAGES", "CONVOCA_VERSION", "CONVOCA_LOG"}
    assert asked - written == left_to_others | {"CONVOCA_SMTP_URL"}
