"""The front door's file, before upstreams that say who was asked for what."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.embedded.programs import CADDYFILE
from tests.deploy.running import free_port, status, until

ROUTES = {
    "catalogue": ["/", "/workshops/a", "/practices", "/groups/x", "/programmes/y", "/staff/catalogue/z", "/unknown"],
    "registration": ["/enrol/a", "/enrolments/token", "/projects", "/enquiries/new", "/staff/registration/a"],
    "notifications": ["/preferences/token", "/staff/notifications/rules"],
    "mailbox": ["/mailbox", "/mailbox.json?after=3", "/mailbox/7"],
}


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked and by which headers."""

    protocol_version = "HTTP/1.1"

    server: ThreadingHTTPServer

    def do_GET(self) -> None:
        """Answer a GET."""
        body = json.dumps(
            {"port": self.server.server_port, "path": self.path, "headers": dict(self.headers.items())}
        ).encode()
        self.send_response(200)
        self.send_header("Server", "echo/1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Front:
    """Caddy with our file, and an upstream for each service; `settings` are more of its environment."""

    def __init__(self, folder: Path, *, mailbox: bool = True, **settings: str) -> None:
        names = [*ROUTES] if mailbox else [name for name in ROUTES if name != "mailbox"]
        self.upstreams = {name: ThreadingHTTPServer(("127.0.0.1", 0), Echo) for name in names}
        self._threads = [threading.Thread(target=each.serve_forever) for each in self.upstreams.values()]
        for thread in self._threads:
            thread.start()
        self.url = f"http://127.0.0.1:{free_port()}"
        addresses = {
            f"CONVOCA_{name.upper()}_UPSTREAM": f"127.0.0.1:{server.server_port}"
            for name, server in self.upstreams.items()
        }
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("caddy"), "run", "--config", CADDYFILE, "--adapter", "caddyfile"],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "CONVOCA_SITE": self.url.replace("127.0.0.1", ""),
                "CONVOCA_BIND": "127.0.0.1",
                **addresses,
                **settings,
            },
            stderr=subprocess.DEVNULL,
        )
        until(lambda: status(self.url))

    def asked(self, path: str, **headers: str) -> dict[str, Any]:
        """GET a path and tell what the upstream was asked."""
        answer = httpx.get(self.url + path, headers={name.replace("_", "-"): text for name, text in headers.items()})
        asked: dict[str, Any] = answer.raise_for_status().json()
        return asked

    def close_upstream(self, name: str) -> None:
        """Have a service gone."""
        server = self.upstreams.pop(name)
        server.shutdown()
        server.server_close()

    def close(self) -> None:
        """End all."""
        self.process.terminate()
        self.process.wait(10)
        for name in [*self.upstreams]:
            self.close_upstream(name)
        for thread in self._threads:
            thread.join()


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    running = Front(tmp_path_factory.mktemp("front"))
    yield running
    running.close()


@pytest.fixture
def short_lived(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Front]:
    running = Front(tmp_path, mailbox=getattr(request, "param", True))
    yield running
    running.close()


@pytest.mark.parametrize(("service", "path"), [(name, path) for name, paths in ROUTES.items() for path in paths])
def test_each_path_goes_to_its_service(front: Front, service: str, path: str) -> None:
    asked = front.asked(path)
    assert (asked["port"], asked["path"]) == (front.upstreams[service].server_port, path)


@pytest.mark.parametrize("service", ["catalogue", "registration", "notifications"])
def test_api_and_assets_go_to_the_service_that_they_name(front: Front, service: str) -> None:
    for path in (f"/api/{service}/health/ready", f"/assets/{service}/style.css"):
        assert front.asked(path)["port"] == front.upstreams[service].server_port


@pytest.mark.parametrize(
    "path",
    [
        "/api/catalogue/metrics",
        "/api/registration/metrics/",
        "/api/notifications/%6Detrics",
        "/api//registration/metrics",
        "/API/registration/Metrics",
    ],
)
def test_metrics_are_not_shown_outside(front: Front, path: str) -> None:
    answer = httpx.get(front.url + path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["type"].endswith(":not-found")


def test_an_address_that_a_client_claims_is_overwritten(front: Front) -> None:
    claimed = front.asked("/", x_forwarded_for="192.0.2.1", x_forwarded_proto="https", x_forwarded_host="evil.example")
    headers = {name.lower(): value for name, value in claimed["headers"].items()}
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-host"] == front.url.removeprefix("http://")


@pytest.fixture
def behind_a_proxy(tmp_path: Path) -> Iterator[Front]:
    running = Front(tmp_path, CONVOCA_TRUSTED_PROXIES="127.0.0.0/8 198.51.100.0/24")
    yield running
    running.close()


@pytest.mark.parametrize(
    ("claimed", "told"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1", "192.0.2.1"),  # the first is what the client says of itself
        ("203.0.113.9, 192.0.2.1, 198.51.100.7", "192.0.2.1"),  # the last is a proxy of ours too
        ("2001:db8::7", "2001:db8::7"),
        ("nonsense", "127.0.0.1"),
    ],
)
def test_a_proxy_that_is_trusted_says_who_asks_and_a_service_hears_that_alone(
    behind_a_proxy: Front, claimed: str, told: str
) -> None:
    asked = behind_a_proxy.asked("/", x_forwarded_for=claimed, x_forwarded_proto="https", x_forwarded_host="c.example")
    headers = {name.lower(): value for name, value in asked["headers"].items()}
    assert headers["x-forwarded-for"] == told
    assert (headers["x-forwarded-proto"], headers["x-forwarded-host"]) == ("https", "c.example")


def test_a_proxy_that_is_not_named_is_a_client_like_any_other(tmp_path: Path) -> None:
    front = Front(tmp_path, CONVOCA_TRUSTED_PROXIES="198.51.100.0/24")
    try:
        asked = front.asked("/", x_forwarded_for="192.0.2.1", x_forwarded_proto="https")
    finally:
        front.close()
    headers = {name.lower(): value for name, value in asked["headers"].items()}
    assert (headers["x-forwarded-for"], headers["x-forwarded-proto"]) == ("127.0.0.1", "http")


def test_an_answer_does_not_say_what_serves_it(front: Front) -> None:
    headers = httpx.get(front.url).headers
    assert "server" not in headers
    assert headers["x-content-type-options"] == "nosniff"


def test_a_service_that_is_gone_is_unavailable_for_a_while(short_lived: Front) -> None:
    short_lived.close_upstream("registration")
    answer = httpx.post(f"{short_lived.url}/api/registration/enrolments", json={}, timeout=10)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith("unavailable")
    page = httpx.get(f"{short_lived.url}/enrol/a", timeout=10)
    assert page.status_code == 503
    assert page.headers["content-type"].startswith("text/html")
    assert short_lived.asked("/workshops")["path"] == "/workshops"


@pytest.mark.parametrize("short_lived", [False], indirect=True)
def test_there_is_no_mailbox_where_there_is_no_mail_catcher(short_lived: Front) -> None:
    assert short_lived.asked("/mailbox")["port"] == short_lived.upstreams["catalogue"].server_port


def test_of_two_of_a_service_the_one_that_is_there_answers(tmp_path: Path) -> None:
    twin = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=twin.serve_forever)
    thread.start()
    both = f"127.0.0.1:{free_port()} 127.0.0.1:{twin.server_port}"
    front = Front(tmp_path, CONVOCA_REGISTRATION_UPSTREAM=both, CONVOCA_PASSED_OVER="5s")
    try:
        assert {front.asked("/enrol/a")["port"] for _ in range(20)} == {twin.server_port}
    finally:
        front.close()
        twin.shutdown()
        twin.server_close()
        thread.join()
