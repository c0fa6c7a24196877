"""Who takes part in journeys: invented, each only once, so that a trace of anyone can be looked for afterwards."""

import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

Language = Literal["ca", "es", "en"]
EVERYONE: list["Person"] = []
"""All who were made in this run."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who enrols; `mark` is part of name and address, and of nothing else."""

    given: str = "Núria"
    language: Language = "ca"
    mark: str = field(default_factory=lambda: secrets.token_hex(8))

    def __post_init__(self) -> None:
        """Be remembered."""
        EVERYONE.append(self)

    @property
    def name(self) -> str:
        """What they are called."""
        return f"{self.given} Camps {self.mark}"

    @property
    def address(self) -> str:
        """Where they are written to."""
        return f"camps.{self.mark}@example.org"

    @property
    def stated(self) -> dict[str, str]:
        """Give what they say of themselves when they enrol."""
        return {"name": self.name, "email": self.address, "language": self.language}


def request(workshop: object, person: Person, /, **others: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a body
    """Write the body by which a person asks for a seat, for HTTP or for the bus."""
    return {
        "workshop_id": workshop,
        "attendance": "in_person",
        "person": person.stated,
        "organisation": {"name": "Ajuntament de Vic", "kind": "city", "country": "ES", "population": 39844},
        "accepts": ["privacy"],
        "groups": [],
        **others,
    }
