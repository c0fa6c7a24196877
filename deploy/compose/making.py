"""A deployment's folder, made once: nothing in it is ever overwritten."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Literal
from urllib.parse import urlsplit

from deploy.compose.secrets import cluster_id, drawn
from shared.errors import Conflict

Tls = Literal["name", "files", "internal", "off"]
HERE = Path(__file__).parent
GROUP = 10001
"""The group that reads secrets, where root may give them to one: nobody on the host is in it, every container is."""
CATCHER = "smtp://mailpit:1025"
SECRET, PRIVATE, PASSABLE, SHARED = 0o640, 0o600, 0o750, 0o770
HTTP, HTTPS, HTTP_HERE, HTTPS_HERE = 80, 443, 8000, 8443


@dataclass(frozen=True, slots=True)
class Wishes:
    """What an operator says of the deployment; `smtp_url` is None where a mail catcher is to take all mails."""

    public_url: str
    tls: Tls
    office: str
    mail: str
    smtp_url: str | None = None


def make(folder: Path, wishes: Wishes) -> list[Path]:
    """Make what the deployment needs, and name it; an office's file or certificates that are there stay.

    Raises Conflict where the folder has been made before, in whole or in part.
    """
    settings, secrets = folder / ".env", folder / "secrets"
    for path in (settings, secrets):
        if path.exists():
            raise Conflict("made-before", f"{path} is there already; nothing was changed")
    hand = _Hand.of(folder)
    draft = folder / "secrets.new"
    shutil.rmtree(draft, ignore_errors=True)  # what an attempt that broke off has left
    hand.make_folder(draft, 0o700)
    for name, content in drawn(wishes.smtp_url or CATCHER).items():
        hand.write(draft / name, content, SECRET)
    made = [settings, secrets]
    office = folder / "office.yaml"
    for path, mode in ((folder / "certificates", PASSABLE), (folder / "backups", SHARED)):
        if not path.exists():
            hand.make_folder(path, mode)
            made.append(path)
    if not office.exists():
        hand.write(office, _filled("office.yaml", {"office": json.dumps(wishes.office), "mail": wishes.mail}), SECRET)
        made.append(office)
    hand.write(settings, _filled("settings.txt", _settings(wishes, hand.group)), PRIVATE)
    draft.rename(secrets)
    return made


@dataclass(frozen=True, slots=True)
class _Hand:
    """Who the files belong to, and which group reads them."""

    owner: int
    group: int

    @classmethod
    def of(cls, folder: Path) -> "_Hand":
        """Be the folder's owner; without root, oneself and one's own group."""
        if os.geteuid() == 0:
            return cls(folder.stat().st_uid, GROUP)
        return cls(os.geteuid(), os.getegid())

    def make_folder(self, path: Path, mode: int) -> None:
        path.mkdir()
        os.chown(path, self.owner, self.group)
        path.chmod(mode)

    def write(self, path: Path, content: str, mode: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchown(descriptor, self.owner, self.group)
            os.fchmod(descriptor, mode)
            file.write(content if content.endswith("\n") else f"{content}\n")


def _settings(wishes: Wishes, group: int) -> Mapping[str, object]:
    parts = urlsplit(wishes.public_url)
    secure = parts.scheme == "https"
    by_itself = secure and wishes.tls != "off"
    known = not secure or wishes.tls == "off"
    return {
        "public_url": wishes.public_url,
        "site": f"https://{parts.hostname}" if by_itself else "http://:80",
        "tls": wishes.tls if by_itself else "name",
        "address": "127.0.0.1" if known else "0.0.0.0",  # noqa: S104 - a public office's front door
        "http_port": (parts.port or HTTP) if not secure else HTTP_HERE if wishes.tls == "off" else HTTP,
        "https_port": (parts.port or HTTPS) if by_itself else HTTPS_HERE,
        "trusted_proxies": "private_ranges" if secure and wishes.tls == "off" else "",
        "mail_from": wishes.mail,
        "demo": "#" if wishes.smtp_url else "",
        "group": group,
        "cluster_id": cluster_id(),
    }


def _filled(name: str, values: Mapping[str, object]) -> str:
    return Template((HERE / name).read_text(encoding="utf-8")).substitute(values)
