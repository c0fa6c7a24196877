"""What every event has in common."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

from shared.events.topics import Topic

Language = Literal["ca", "es", "en"]
Attendance = Literal["in_person", "online"]
OrganisationKind = Literal["city", "supramunicipal", "company", "sme", "investor", "research_centre", "other"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000, pattern=r"^[^\x00]*$")]
"""What people read; PostgreSQL keeps no null character."""
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Localised = dict[Language, Text]
Moment = AwareDatetime

EVENT_TYPES: dict[str, type["Event"]] = {}
"""Our own facts by type; what outside systems send has other shapes and is not here."""


class Contract(BaseModel):
    """Frozen data of an agreed shape; what a newer writer adds is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Event(Contract):
    """The `data` of a CloudEvent. `type`, `version` and `topic` say where it stands in the contract."""

    type: ClassVar[str]
    version: ClassVar[int] = 1
    topic: ClassVar[Topic]

    def __init_subclass__(cls, *, type: str | None = None, **options: Any) -> None:  # noqa: A002, ANN401
        """Name a class that is an event by `type=`; a class without one is a shape that events share."""
        super().__init_subclass__(**options)
        if type is not None:
            cls.type = type
            if not cls.topic.inbound:
                EVENT_TYPES[type] = cls

    @classmethod
    def dataschema(cls) -> str:
        """Give the name of this shape, as `ce_dataschema` carries it."""
        return f"urn:convoca:{cls.type}:{cls.version}"
