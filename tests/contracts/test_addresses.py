"""A mail address that is taken at a glance is one that the full check takes as it stands."""

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.events.base import PLAIN_ADDRESS, EmailAddress

LETTERS = st.text(alphabet="aZ0-_.", min_size=1, max_size=8)
TOP = st.sampled_from(["cat", "eu", "CAT", "c4t", "local", "test", "museum", "a", ""])
PARTS = st.builds("{}@{}.{}".format, LETTERS, st.text(alphabet="aZ0-.", min_size=1, max_size=70), TOP)
ADDRESS: TypeAdapter[str] = TypeAdapter(EmailAddress)


def in_full(address: str) -> str | None:
    try:
        return validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError:
        return None


@given(PARTS)
def test_what_is_plain_is_valid_and_normalised(address: str) -> None:
    if PLAIN_ADDRESS.fullmatch(address):
        assert in_full(address) == address == ADDRESS.validate_python(address)


@given(PARTS | st.text(alphabet="aZ0.-_+@ é", max_size=80))
def test_any_address_is_taken_as_the_full_check_takes_it(address: str) -> None:
    try:
        taken = ADDRESS.validate_python(address)
    except ValidationError:
        taken = None
    assert taken == in_full(address)


def test_a_domain_that_nobody_can_have_is_not_plain() -> None:
    for name in SPECIAL_USE_DOMAIN_NAMES:
        assert not PLAIN_ADDRESS.fullmatch(f"anna@{name}")
        assert not PLAIN_ADDRESS.fullmatch(f"anna@vic.{name}")


def test_everyday_addresses_are_plain() -> None:
    for address in ("nuria@example.cat", "Nuria.Camps+vic@ajuntament-de-vic.cat", "a_b@mail.vic.example.org"):
        assert PLAIN_ADDRESS.fullmatch(address)
