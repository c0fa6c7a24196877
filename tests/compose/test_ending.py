"""The end: each is told to stop, finishes, and says that it went well."""

import re
import time

from tests.compose.deployed import Deployed
from tests.compose.deployment import OURS


async def test_services_stop_by_themselves_before_they_are_killed(stack: Deployed) -> None:
    since = time.monotonic()
    (await stack.deployment.compose("stop", *OURS, "caddy")).well()
    stack.deployment.note("services and front door stopped", since)
    for name in (*OURS, "caddy"):
        state = (await stack.deployment.inspect(name))["State"]
        assert (state["Status"], state["ExitCode"], state["OOMKilled"]) == ("exited", 0, False), name


async def test_what_the_services_logged_names_nobody_and_no_secret(stack: Deployed) -> None:
    logs = (await stack.deployment.compose("logs", "--no-color")).well()
    words = [path.read_text().strip() for path in (stack.deployment.folder / "secrets").iterdir()]
    assert [word for word in words if word in logs and not word.startswith("smtp://mailpit")] == []
    assert not {"storedKey", "serverKey", "saltedPassword"} & set(re.findall(r"\w+", logs))  # of the broker's users
    assert "@example.org" not in logs.replace("convoca@example.org", "")
