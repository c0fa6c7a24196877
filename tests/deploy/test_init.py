"""`convoca init`: settings and secrets of a deployment, made once."""

import os
import stat
from pathlib import Path

import pytest

from deploy.compose.making import GROUP
from deploy.compose.secrets import cluster_id
from shared.settings import read_office
from tests.deploy.running import convoca_here


def init(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.delenv("CONVOCA_SMTP_URL", raising=False)
    return convoca_here(monkeypatch, "init", *arguments)


def settings(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_reads_what_it_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:  # as in the container that makes them: they are the folder's owner's
        os.chown(tmp_path, 4321, 4321)
    assert init(monkeypatch, str(tmp_path))[0] == 0
    assert mode(tmp_path / "secrets") == 0o700
    assert mode(tmp_path / ".env") == 0o600
    group = GROUP if os.geteuid() == 0 else os.getegid()
    assert settings(tmp_path)["CONVOCA_SECRETS_GROUP"] == str(group)
    for path in (*(tmp_path / "secrets").iterdir(), tmp_path / "office.yaml"):
        assert (mode(path), path.stat().st_gid, path.stat().st_uid) == (0o640, group, tmp_path.stat().st_uid)


@pytest.mark.parametrize("there", [".env", "secrets"])
def test_it_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str) -> None:
    assert init(monkeypatch, str(tmp_path))[0] == 0
    before = contents(tmp_path)
    for other in {".env", "secrets"} - {there}:
        (tmp_path / other).rename(tmp_path / f"moved-{other}")
    code, out, err = init(monkeypatch, str(tmp_path))
    assert (code, out) == (1, "")
    assert str(tmp_path / there) in err
    assert sorted(contents(tmp_path).values()) == sorted(before.values())


def test_what_the_office_has_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "office.yaml").write_text("ours", encoding="utf-8")
    assert init(monkeypatch, str(tmp_path))[0] == 0
    assert (tmp_path / "office.yaml").read_text(encoding="utf-8") == "ours"


def test_no_two_deployments_have_a_secret_in_common(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        assert init(monkeypatch, str(tmp_path / name))[0] == 0
        drawn.append({key: text for key, text in contents(tmp_path / name / "secrets").items() if key != "smtp_url"})
    assert len({*drawn[0].values(), *drawn[1].values()}) == 2 * len(drawn[0])
    assert settings(tmp_path / "one")["KAFKA_CLUSTER_ID"] != settings(tmp_path / "other")["KAFKA_CLUSTER_ID"]
    assert not {line for text in drawn[0].values() for line in text.split()} & {*settings(tmp_path / "one").values()}


def test_what_kafka_calls_its_cluster_is_taken_for_no_option() -> None:
    """Kafka's tool that makes the storage would take it for one, and never start: one deployment in sixty-four."""
    drawn = [cluster_id() for _ in range(2000)]
    assert [each for each in drawn if each.startswith("-")] == []
    assert {len(each) for each in drawn} == {22}


def test_an_office_is_called_as_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = 'Oficina d\'Europa: «u», "dos" # $tres'
    assert init(monkeypatch, str(tmp_path), "--office", name, "--mail", "office@example.org")[0] == 0
    office = read_office(tmp_path / "office.yaml")
    assert set(office.name.values()) == {name}
    assert office.address == "office@example.org"


ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - a front door


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ("http://:80", "name", "127.0.0.1", "8000", "8443", "")),
        (("--url", "https://c.example.org"), ("https://c.example.org", "name", ALL_ADDRESSES, "80", "443", "")),
        (
            ("--url", "https://c.example.org", "--tls", "files"),
            ("https://c.example.org", "files", ALL_ADDRESSES, "80", "443", ""),
        ),
        (
            ("--url", "https://c.example.org", "--tls", "off"),
            ("http://:80", "name", "127.0.0.1", "8000", "8443", "private_ranges"),
        ),
    ],
)
def test_the_front_door_is_set_for_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert init(monkeypatch, str(tmp_path), *arguments)[0] == 0
    written = settings(tmp_path)
    names = ("SITE", "TLS", "ADDRESS", "HTTP_PORT", "HTTPS_PORT", "TRUSTED_PROXIES")
    assert tuple(written[f"CONVOCA_{name}"] for name in names) == expected


def test_with_a_relay_there_is_no_mail_catcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = "smtp+starttls://office:w%40rd@relay.example.org"
    code, _, err = init(monkeypatch, str(tmp_path), "--smtp", relay)
    assert (code, "/mailbox" in err) == (0, False)
    assert not {"COMPOSE_PROFILES", "CONVOCA_MAILBOX_UPSTREAM"} & set(settings(tmp_path))
    assert (tmp_path / "secrets" / "smtp_url").read_text(encoding="utf-8").strip() == relay


def test_that_everybody_sees_the_mails_without_a_relay_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = init(monkeypatch, str(tmp_path), "--url", "https://c.example.org")
    assert code == 0
    assert "to everybody at https://c.example.org/mailbox" in err


def test_a_relay_may_be_told_where_no_history_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = "smtps://office:word@relay.example.org"
    monkeypatch.setenv("CONVOCA_SMTP_URL", relay)
    assert convoca_here(monkeypatch, "init", str(tmp_path))[0] == 0
    assert (tmp_path / "secrets" / "smtp_url").read_text(encoding="utf-8").strip() == relay


@pytest.mark.parametrize(
    "arguments",
    [
        ("--url", "convoca.example.org"),
        ("--url", "https://c.example.org/path"),
        ("--tls", "maybe"),
        ("--mail", "nobody"),
        ("--smtp", "relay.example.org"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    code, out, err = init(monkeypatch, str(tmp_path), *arguments)
    assert (code, out) == (2, "")
    assert arguments[0] in err
    assert contents(tmp_path) == {}
