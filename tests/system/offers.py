"""Workshops as staff or outside systems state them: on a day far ahead, with a title and a join link of their own."""

import secrets
from typing import Any

JOIN_LINKS: list[str] = []
"""All that were made in this run, to be looked for afterwards."""
PLACE = {"name": "Pati Manning", "address": "Carrer de Montalegre, 7", "city": "Barcelona", "country": "ES"}


def session(day: int = 10, **others: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a body
    """State one morning of April 2041, in person, with a join link that only some may know."""
    JOIN_LINKS.append(f"https://meet.example.org/{secrets.token_hex(8)}")
    return {
        "starts_at": f"2041-04-{day}T09:30:00+02:00",
        "ends_at": f"2041-04-{day}T13:00:00+02:00",
        "timezone": "Europe/Madrid",
        "mode": "in_person",
        "place": PLACE,
        "join_url": JOIN_LINKS[-1],
        **others,
    }


def workshop(**others: Any) -> dict[str, Any]:  # noqa: ANN401
    """State a workshop; `title` names it in three languages, and nothing else has that name."""
    mark = secrets.token_hex(4)
    return {
        "kind": "workshop",
        "language": "ca",
        "title": {"ca": f"Taller d'energia {mark}", "es": f"Taller de energía {mark}", "en": f"Energy workshop {mark}"},
        "summary": {"ca": "Com ho fan les ciutats petites."},
        "sessions": [session()],
        "seats": {"in_person": 20},
        "themes": ["energy"],
        **others,
    }
