"""What is put on offer in the course of the story, beside the example programme."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from deploy.demo.cities import City

SEATS = 12
"""Seats of the outside system's workshop: fewer than the people who ask for one."""
OFFICE = "Europe/Madrid"
WEDNESDAY, TUESDAY = 2, 1
REASON = {
    "ca": "La ponent no pot venir; en buscarem una altra data.",
    "es": "La ponente no puede venir; buscaremos otra fecha.",
    "en": "The speaker cannot come; we will look for another date.",
}


def workshop_of_a_city(city: City, external_id: str, now: datetime) -> dict[str, Any]:
    """Give the `data` of `workshop.scheduled` as a city's content management system publishes it."""
    day = weeks_ahead(now, 5, WEDNESDAY, city.timezone)
    return {
        "external_id": external_id,
        "kind": "workshop",
        "language": "ca",
        "title": {
            "ca": f"Xarxes de calor de barri: taller a {city.name}",
            "es": f"Redes de calor de barrio: taller en {city.name}",
            "en": f"Neighbourhood heat networks: a workshop in {city.name}",
        },
        "summary": {
            "ca": "Com es posa en marxa una xarxa de calor en una ciutat mitjana: qui hi inverteix, qui la fa anar i "
            "què en paguen els veïns. Amb visita a la sala de calderes.",
            "es": "Cómo se pone en marcha una red de calor en una ciudad mediana: quién invierte, quién la lleva y "
            "qué pagan los vecinos. Con visita a la sala de calderas.",
            "en": "How a medium-sized city gets a heat network going: who invests, who runs it, and what the "
            "neighbours pay. With a visit to the boiler room.",
        },
        "sessions": [
            {
                "starts_at": _at(day, time(10), city.timezone),
                "ends_at": _at(day, time(13), city.timezone),
                "timezone": city.timezone,
                "mode": "in_person",
                "place": {"name": f"Ajuntament, {city.name}", "city": city.name, "country": city.country},
                "join_url": None,
            }
        ],
        "seats": {"in_person": SEATS},
        "per_organisation": 2,
        "themes": ["energy", "district-heating"],
        "registration": {"opens_at": None, "closes_at": None, "approval": "automatic", "external_url": None},
        "programme": None,
        "group": None,
    }


def webinar_of_the_office(now: datetime) -> dict[str, Any]:
    """Give a webinar that the office itself puts on offer."""
    day = weeks_ahead(now, 4, TUESDAY, OFFICE)
    return {
        "kind": "webinar",
        "language": "es",
        "title": {
            "ca": "Finançar la rehabilitació d'edificis municipals",
            "es": "Financiar la rehabilitación de edificios municipales",
            "en": "Financing the renovation of municipal buildings",
        },
        "summary": {
            "ca": "Una hora sobre préstecs, subvencions i contractes de rendiment energètic.",
            "es": "Una hora sobre préstamos, subvenciones y contratos de rendimiento energético.",
            "en": "An hour on loans, grants and energy performance contracts.",
        },
        "sessions": [
            {
                "starts_at": _at(day, time(12), OFFICE),
                "ends_at": _at(day, time(13), OFFICE),
                "timezone": OFFICE,
                "mode": "online",
                "place": None,
                "join_url": "https://meet.example.org/rehabilitacio",
            }
        ],
        "seats": {"online": 100},
        "themes": ["energy", "finance"],
    }


def weeks_ahead(now: datetime, weeks: int, weekday: int, timezone: str) -> datetime:
    """Give the midnight of a weekday, so many weeks after the coming one."""
    today = now.astimezone(ZoneInfo(timezone)).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=(weekday - today.weekday()) % 7, weeks=weeks)


def _at(day: datetime, clock: time, timezone: str) -> str:
    return datetime.combine(day.date(), clock, ZoneInfo(timezone)).isoformat()
