"""What every event has in common."""

import re
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, EmailStr, Field, StringConstraints, WrapValidator

from shared.events.topics import Topic

Language = Literal["ca", "es", "en"]
Attendance = Literal["in_person", "online"]
OrganisationKind = Literal["city", "supramunicipal", "company", "sme", "investor", "research_centre", "other"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000, pattern=r"^[^\x00]*$")]
"""What people read; PostgreSQL keeps no null character."""
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
ExternalId = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
"""What an outside system calls a thing of its own."""
Localised = dict[Language, Text]
Moment = AwareDatetime

PLAIN_ADDRESS = re.compile(
    r"(?=.{3,64}$)[A-Za-z0-9]+([._+-][A-Za-z0-9]+){0,9}@"
    r"([a-z0-9]+(-[a-z0-9]+){0,9}[.]){1,9}"
    r"(?!(alt|arpa|example|invalid|local|localhost|onion|test)$)[a-z]{2,20}"
)
"""Addresses of which one sees at once that they are valid and as short as they can be written."""


def _plain_or(value: object, full: Callable[[object], str]) -> str:
    # The full check, of Unicode and every special domain, takes longer than all else that is done to an event.
    return value if isinstance(value, str) and PLAIN_ADDRESS.fullmatch(value) else full(value)


EmailAddress = Annotated[EmailStr, WrapValidator(_plain_or), Field(max_length=254)]
"""A mail address, normalised as `email-validator` does; whether anybody reads it is not asked."""
SHAPES: dict[tuple[str, int], type["Event"]] = {}
"""Every shape by its name and version; complete once each module of this package is imported, as `contract` does."""


class Contract(BaseModel):
    """Frozen data of an agreed shape; what a newer writer adds is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Event(Contract):
    """The `data` of a CloudEvent. `type`, `version` and `topic` say where it stands in the contract.

    `shape` is what its schema is called: the type of a fact of ours, and after `inbound.` the type of what outside
    systems send, for both may tell of the same happening in words of their own (`workshop.scheduled`).
    """

    type: ClassVar[str]
    shape: ClassVar[str]
    version: ClassVar[int] = 1
    topic: ClassVar[Topic]

    def __init_subclass__(cls, *, type: str | None = None, **options: Any) -> None:  # noqa: A002, ANN401
        """Name a class that is an event by `type=`; a class without one is a shape that events share."""
        super().__init_subclass__(**options)
        if type is not None:
            cls.type = type
            cls.shape = f"inbound.{type}" if cls.topic.inbound else type
            if SHAPES.setdefault((cls.shape, cls.version), cls) is not cls:
                message = f"there is another shape {cls.shape} of version {cls.version}"
                raise TypeError(message)

    @classmethod
    def dataschema(cls) -> str:
        """Give the name of this shape, as `ce_dataschema` carries it."""
        return f"urn:convoca:{cls.shape}:{cls.version}"
