"""What a process is told: read from the environment or from files, and refused in a line that repeats no secret."""

from pathlib import Path

import pytest

from services.notifications.settings import Settings, SmtpServer
from shared.settings import SettingsError, setting

TOLD = {
    "CONVOCA_DATABASE_URL": "postgresql://localhost/notifications",
    "CONVOCA_KAFKA_SERVERS": "localhost:9092",
    "CONVOCA_PUBLIC_URL": "http://localhost:8000",
    "CONVOCA_SECRET_KEY": "k" * 32,
    "CONVOCA_OFFICE": "office.yaml",
    "CONVOCA_MAIL_FROM": "office@example.org",
}


def test_a_setting_comes_from_its_file_unless_it_is_told_itself(tmp_path: Path) -> None:
    file = tmp_path / "name"
    file.write_text("of the file\n", encoding="utf-8")
    named = {"CONVOCA_NAME_FILE": str(file)}
    assert setting("CONVOCA_NAME", named) == "of the file"
    assert setting("CONVOCA_NAME", {**named, "CONVOCA_NAME": "told"}) == "told"
    assert setting("CONVOCA_NAME", {}) is None


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "name"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=f"^CONVOCA_NAME_FILE: {file} "):
        setting("CONVOCA_NAME", {"CONVOCA_NAME_FILE": str(file)})


@pytest.mark.parametrize("password", ["hush#word", "hush?word", "hush/word", "hush#w@rd"])
def test_an_address_whose_password_is_not_escaped_is_refused_without_repeating_it(password: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({**TOLD, "CONVOCA_SMTP_URL": f"smtp://office:{password}@relay.example.org"})
    assert str(refused.value).startswith("CONVOCA_SMTP_URL: is no ")
    assert "hush" not in str(refused.value)


def test_what_shows_a_mail_server_shows_no_password() -> None:
    server = SmtpServer.parse("smtps://office:hush%23word@relay.example.org")
    assert server.password == "hush#word"
    assert "hush" not in repr(server)
