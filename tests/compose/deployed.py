"""The deployment as journeys meet it: its front door, its mail catcher, and the command in a container of its own."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudevents.core.bindings.kafka import to_binary_event
from cloudevents.core.v1.event import CloudEvent

from deploy.kafka.access import Login
from tests.compose.deployment import Deployment
from tests.system.stack import Mail, Publisher, Stack
from tests.system.streams import Bus

PROBE = (Path(__file__).parent / "probe.py").read_text(encoding="utf-8")
WRITTEN, REFUSED = "written", "TopicAuthorizationFailedError"
OUT_OF_REACH = Bus(None, None, None)
"""What stands for the bus: it is published to nobody outside."""
Record = dict[str, Any]


class System(Publisher):
    """An outside system, with its user of the broker."""

    kafka: Login


@dataclass(kw_only=True)
class Deployed(Stack):
    """A running deployment, with a token of staff."""

    deployment: Deployment

    async def attempt(self, *arguments: str) -> tuple[int | None, str, str]:
        """Run a command on this deployment, as its operator does."""
        ran = await self.deployment.run("ops", *arguments)
        return ran.code, ran.out, ran.err

    async def mailbox(self) -> list[Mail]:
        """Give all mails, the oldest first, as the catcher's API shows them."""
        catcher = f"http://{await self.deployment.address('mailpit', 'inside')}:8025"
        # The public image is told to have all below /mailbox; its stand-in for a machine without a registry has not.
        below = (await self.http.get(f"{catcher}/mailbox/readyz")).is_success
        api = f"{catcher}/mailbox/api/v1" if below else f"{catcher}/api/v1"
        listed = (await self.http.get(f"{api}/messages", params={"limit": 1000})).raise_for_status().json()
        mails = []
        for number, each in enumerate(reversed(listed["messages"]), 1):
            one = (await self.http.get(f"{api}/message/{each['ID']}")).raise_for_status().json()
            known = {"n": number, "to": one["To"][0]["Address"], "subject": one["Subject"]}
            parts = {"message_id": one["MessageID"], "text": one["Text"], "html": one["HTML"], "calendar": None}
            mails.append(Mail.model_validate(known | parts))
        return mails

    async def let_in(self, service: str) -> System:
        """Let an outside system in that nobody has heard of, by HTTP and by Kafka."""
        name = f"crm-{secrets.token_hex(4)}"
        return System.model_validate_json(await self.convoca("publisher", "add", name, "--service", service, "--json"))

    async def write(self, login: Login, *records: Record) -> list[str]:
        """Write to the broker as one of its users; answers `WRITTEN`, or the name of the broker's error, for each."""
        user = {"servers": login.servers, "user": login.username, "password": login.password}
        return list(await self.inside(PROBE, {**user, "records": records}))

    async def inside(self, program: str, told: object) -> Any:  # noqa: ANN401 - any JSON
        """Run a program in the image `ops`; it is told something as JSON, and answers so."""
        options = ("--no-deps", "--entrypoint", "python")
        ran = await self.deployment.run("ops", "-c", program, options=options, given=json.dumps(told))
        return json.loads(ran.well())


def record(topic: str, event: CloudEvent | None = None) -> Record:
    """Give a record for a stream: an event, or something that nobody understands."""
    if event is None:
        return {"topic": topic, "key": "a key", "value": "a record", "headers": []}
    message = to_binary_event(event)
    headers = [[name, value.decode()] for name, value in message.headers.items()]
    value = (message.value or b"").decode()
    return {"topic": topic, "key": event.get_subject() or "", "value": value, "headers": headers}
