"""The front door with a certificate: from an authority of its own, or from the office's files."""

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.compose.deployed import Deployed
from tests.compose.deployment import docker
from tests.waiting import eventually

SITE = "convoca.test"
AUTHORITY = "/var/lib/caddy/caddy/pki/authorities/local/root.crt"
LEAF = f"/var/lib/caddy/caddy/certificates/local/{SITE}/{SITE}"


@asynccontextmanager
async def door(stack: Deployed, kind: str) -> AsyncIterator[tuple[str, str]]:
    """Run another front door of the deployment, with TLS; gives its container and its address."""
    name = f"{stack.deployment.project}-door-{kind}"
    told = ("--env", f"CONVOCA_SITE=https://{SITE}", "--env", f"CONVOCA_TLS={kind}")
    (await stack.deployment.run("caddy", options=("--detach", "--name", name, *told))).well()
    try:
        network = f'{{{{(index .NetworkSettings.Networks "{stack.deployment.project}_inside").IPAddress}}}}'
        yield name, (await docker("inspect", "--format", network, name)).well().strip()
    finally:
        await docker("rm", "--force", "--volumes", name)


async def asked(address: str, trusting: str) -> int:
    """Ask by TLS, trusting one authority; gives the status, 0 where nobody answers."""
    context = ssl.create_default_context(cadata=trusting)
    async with httpx.AsyncClient(verify=context, trust_env=False) as client:
        request = client.build_request(
            "GET", f"https://{address}/workshops", headers={"Host": SITE}, extensions={"sni_hostname": SITE}
        )
        try:
            return (await client.send(request)).status_code
        except httpx.ConnectError:
            return 0


async def test_a_certificate_comes_from_its_own_authority_or_from_the_offices_files(stack: Deployed) -> None:
    certificates = stack.deployment.folder / "certificates"
    async with door(stack, "internal") as (name, address):

        async def authority() -> str:
            return (await docker("exec", name, "cat", AUTHORITY)).out

        trusted = await eventually(authority, "the authority to be made")
        status = await eventually(lambda: asked(address, trusted), "an answer by TLS")
        assert status == httpx.codes.OK
        async with httpx.AsyncClient(trust_env=False) as client:
            plain = await client.get(f"http://{address}/workshops", headers={"Host": SITE})
        assert (plain.status_code, plain.headers["location"]) == (308, f"https://{SITE}/workshops")
        for ending in ("crt", "key"):
            content = (await docker("exec", name, "cat", f"{LEAF}.{ending}")).well()
            _give(certificates / f"site.{ending}", content)
    async with door(stack, "files") as (_, address):
        status = await eventually(lambda: asked(address, trusted), "an answer by TLS from the office's files")
        assert status == httpx.codes.OK


def _give(path: Path, content: str) -> None:
    """Put a file where the office puts its own: readable by the group that the folder has."""
    path.write_text(content, encoding="utf-8")
    path.chmod(0o640)
    os.chown(path, -1, path.parent.stat().st_gid)
