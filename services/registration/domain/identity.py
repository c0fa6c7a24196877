"""When two requests are of one person, or for one organisation."""

import unicodedata


def email_identity(email: str) -> str:
    """Give what an address is known by: letter case makes nobody another person.

    RFC 5321 (2.4) lets a host tell `Ann@` from `ann@`; none that people use does. Mail goes to the address as typed.
    """
    return unicodedata.normalize("NFC", email.strip()).casefold()


def organisation_identity(name: str, kind: str, country: str | None) -> str:
    """Give what an organisation is known by: kind, country and name, whatever the case and the spaces."""
    words = " ".join(unicodedata.normalize("NFC", name).casefold().split())
    return f"{kind}:{country or ''}:{words}"
