"""`convoca doctor`: whether a deployment is well, and what to do where it is not."""

import asyncio
import dataclasses
import json
from pathlib import Path

from pydantic import AnyHttpUrl, BaseModel, SecretStr

from deploy.cli.target import Target, target
from deploy.cli.terminal import DEFAULT_FOLDER, DataFolder, Json, answer, say, verb
from deploy.operations.doctor import Finding, Patient, examine
from services.notifications.settings import SmtpServer
from shared.events.topics import SERVICES
from shared.settings import PREFIX, SettingsError, load

app = verb()


class _Told(BaseModel):
    """What the services are told, and this command should be too."""

    public_url: AnyHttpUrl | None = None
    smtp_url: SecretStr | None = None
    secret_key: SecretStr | None = None


@app.command()
def doctor(
    as_json: Json = False,  # noqa: FBT002 - an option of a command
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Look at databases, streams, services, mail and clocks; ends with 1 where anything is wrong, and says what to do.

    Nothing is changed, and no mail is sent.

    Example: convoca doctor --json
    """
    found = asyncio.run(examine(_patient(target(data), data)))
    wrong = [each for each in found if not each.ok]
    if as_json:
        answer(json.dumps({"ok": not wrong, "findings": [dataclasses.asdict(each) for each in found]}))
    else:
        for each in found:
            answer(_line(each))
    say(f"{len(found)} checks, {len(wrong)} of them found something wrong")
    if wrong:
        raise SystemExit(1)


def _line(found: Finding) -> str:
    line = f"{'ok   ' if found.ok else 'WRONG'} {found.check:16} {found.about:34} {found.says}"
    return line if found.do is None else f"{line}\n      {'':16} do: {found.do}"


def _patient(where: Target, data: Path) -> Patient:
    if where.embedded:
        host, _, port = where.embedded.smtp.partition(":")
        return Patient(
            databases=where.database_urls(),
            kafka=where.kafka(),
            users={},
            public_url=where.embedded.url,
            ready={service: _ready(where.embedded.url, service) for service in SERVICES},
            smtp=SmtpServer(host, int(port), "smtp"),
            folder=data,
        )
    told, missing = load(_Told, where.environment), []
    databases = {}
    for service in SERVICES:
        try:
            databases[service] = where.database_url(service)
        except SettingsError as error:
            missing.append(str(error).partition(":")[0])
    try:
        kafka = where.kafka()
    except SettingsError as error:
        kafka = None
        missing.append(str(error).partition(":")[0])
    missing += [f"{PREFIX}{name.upper()}" for name, value in told if value is None]
    return Patient(
        databases=databases,
        kafka=kafka,
        users={service: where.kafka_user(service)[0] for service in SERVICES},
        public_url=str(told.public_url) if told.public_url else None,
        ready=_asked(where, told),
        smtp=_smtp(told),
        missing=tuple(missing),
    )


def _asked(where: Target, told: _Told) -> dict[str, str]:
    """Give where each service is asked: wherever the front door finds it, else through the front door."""
    asked = {}
    for service in SERVICES:
        upstreams = where.environment.get(f"{PREFIX}{service.upper()}_UPSTREAM", "").split()
        for upstream in upstreams:
            name = service if len(upstreams) == 1 else f"{service} at {upstream}"
            asked[name] = _ready(f"http://{upstream}", service)
        if not upstreams and told.public_url:
            asked[service] = _ready(str(told.public_url), service)
    return asked


def _ready(site: str, service: str) -> str:
    return f"{site.rstrip('/')}/api/{service}/health/ready"


def _smtp(told: _Told) -> SmtpServer | None:
    if told.smtp_url is None:
        return None
    try:
        return SmtpServer.parse(told.smtp_url.get_secret_value())
    except ValueError as error:
        message = f"{PREFIX}SMTP_URL: {error}"
        raise SettingsError(message) from error
