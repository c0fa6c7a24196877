"""What docker-compose.yml must hold to, whoever changes it: rights, secrets, limits, images, settings."""

import re
from typing import Any

import pytest

from deploy.compose.making import Wishes, make
from deploy.compose.secrets import drawn
from deploy.embedded.folder import SERVICES
from deploy.embedded.programs import DRAIN
from services.notifications.settings import Settings
from services.registration.settings import RegistrationSettings
from shared import VERSION
from shared.settings import PREFIX, ServiceSettings
from tests.deploy.compose_file import PROJECT, files_of, read, seconds, sources_of, variables

FILE = read()
ALL: dict[str, dict[str, Any]] = FILE["services"]
LASTING = sorted(set(ALL) - {"migrate", "ops", "init"})
OURS = sorted(name for name, each in ALL.items() if "build" in each)
KNOWN: dict[str, type[ServiceSettings]] = {
    "catalogue": ServiceSettings,
    "registration": RegistrationSettings,
    "notifications": Settings,
}
OPERATORS = re.compile(
    r"CONVOCA_(KAFKA_(SERVERS|SECURITY|ADMIN_USERNAME|ADMIN_PASSWORD_FILE)|REPLAY_DAYS|POSTGRES_ADMIN_URL_FILE"
    r"|(CATALOGUE|REGISTRATION|NOTIFICATIONS)_(DATABASE_URL|KAFKA_PASSWORD)_FILE)"
)
"""What deploy/cli/target.py reads."""
every_service = pytest.mark.parametrize("name", sorted(ALL))


@every_service
def test_a_container_may_do_little(name: str) -> None:
    service = ALL[name]
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
def test_a_container_takes_no_more_than_its_share(name: str) -> None:
    limits = ALL[name]["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert float(limits["cpus"]) <= 1, "compose refuses more processors than a small machine has"
    assert ALL[name]["logging"]["driver"] == "json-file"
    assert set(ALL[name]["logging"]["options"]) == {"max-size", "max-file"}


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_is_watched_and_started_again(name: str) -> None:
    service = ALL[name]
    assert service["restart"] == "unless-stopped"
    if name == "mailpit":  # its image brings a check of its own
        assert "healthcheck" not in service
    else:
        assert service["healthcheck"]["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_the_time_to_drain(name: str) -> None:
    assert seconds(ALL[name]["stop_grace_period"]) > DRAIN


@every_service
def test_an_image_has_an_exact_version(name: str) -> None:
    _, _, tag = ALL[name]["image"].rpartition(":")
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
    networks: dict[str, Any] = FILE["networks"]
    reach_out = {name for name, network in networks.items() if not network.get("internal")}
    assert {name for name, each in ALL.items() if reach_out & set(each.get("networks", []))} == {
        "caddy",
        "notifications",  # which hands mails to a relay
    }
    assert ALL["caddy"]["networks"] == ["outside", "inside"]


@every_service
def test_a_secret_comes_as_a_file(name: str) -> None:
    environment: dict[str, Any] = ALL[name].get("environment", {})
    named = [key for key in environment if re.search("PASSWORD|SECRET|TOKEN|DATABASE_URL|ADMIN_URL|JAAS", key)]
    assert [key for key in named if not key.endswith("_FILE")] == []
    shown = {
        path.removeprefix("/run/secrets/") for path in environment.values() if str(path).startswith("/run/secrets")
    }
    if name != "kafka":  # whose script names its two itself
        assert shown == files_of(ALL[name])


def test_each_secret_is_made_and_each_that_is_made_is_used() -> None:
    named = {name: secret["file"] for name, secret in FILE["secrets"].items()}
    assert named.pop("office") == "./office.yaml"
    made = drawn("smtp://relay.example.org")
    assert {name: f"./secrets/{name}" for name in made} == named
    assert set().union(*map(sources_of, ALL.values())) == {*made, "office"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_sees_its_own_secrets_only(name: str) -> None:
    strange = {each for each in sources_of(ALL[name]) for other in SERVICES if other != name and each.startswith(other)}
    assert strange == set()
    assert not {each for each in sources_of(ALL[name]) if "admin" in each or "postgres" in each}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_knows_each_setting_that_it_is_told(name: str) -> None:
    told = {key.removesuffix("_FILE") for key in ALL[name]["environment"]}
    assert told <= {f"{PREFIX}{field.upper()}" for field in KNOWN[name].model_fields}
    needed = {f"{PREFIX}{field.upper()}" for field, about in KNOWN[name].model_fields.items() if about.is_required()}
    assert needed <= told


@pytest.mark.parametrize("name", ["migrate", "ops"])
def test_the_command_knows_each_setting_that_it_is_told(name: str) -> None:
    assert [key for key in ALL[name]["environment"] if not OPERATORS.fullmatch(key)] == []


def test_the_front_door_knows_each_setting_that_it_is_told() -> None:
    text = (PROJECT / "deploy/caddy/Caddyfile").read_text(encoding="utf-8")
    assert [key for key in ALL["caddy"]["environment"] if f"{{${key}" not in text] == []


@pytest.mark.parametrize("demo", [True, False])
def test_init_writes_settings_that_the_file_asks_for(tmp_path: Any, *, demo: bool) -> None:  # noqa: ANN401
    smtp = None if demo else "smtp://relay.example.org"
    make(tmp_path, Wishes("https://convoca.example.org", "name", "Oficina", "office@example.org", smtp))
    lines = (tmp_path / ".env").read_text(encoding="utf-8").splitlines()
    written = {line.lstrip("#").partition("=")[0] for line in lines if re.match(r"#?[A-Z_]+=", line)}
    passed_on = {key for each in ALL.values() for key, value in each.get("environment", {}).items() if value is None}
    asked = variables() | passed_on | {"COMPOSE_PROFILES"}
    assert written <= asked
    left_to_others = {"COMPOSE_PROJECT_NAME", "CONVOCA_FOLDER", "CONVOCA_IMAGES", "CONVOCA_VERSION", "CONVOCA_LOG"}
    assert asked - written == left_to_others | {"CONVOCA_SMTP_URL"}
