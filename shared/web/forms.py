"""Forms that people fill in: what they wrote, and what is wrong with it, in their language."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from pydantic import ValidationError
from starlette.datastructures import FormData

from shared.errors import Invalid
from shared.web.i18n import N_, Translator

FILL_IN = N_("This is needed: please fill it in.")
CHOOSE = N_("Please choose one of the options.")
WHOLE_NUMBER = N_("Please write a whole number, such as 39844.")
E_MAIL = N_("Please write an e-mail address such as name@example.cat.")
ADDRESS = N_("Please write a complete web address, such as https://example.cat.")
TOO_LONG = N_("This is too long: please shorten it.")
NOT_RIGHT = N_("This is not right: please check it.")

_SAID: Mapping[str, str] = {
    "missing": FILL_IN,
    "string_too_short": FILL_IN,
    "too_short": FILL_IN,
    "literal_error": CHOOSE,
    "enum": CHOOSE,
    "int_parsing": WHOLE_NUMBER,
    "int_type": WHOLE_NUMBER,
    "int_from_float": WHOLE_NUMBER,
    "url_parsing": ADDRESS,
    "url_scheme": ADDRESS,
    "string_too_long": TOO_LONG,
}
"""What is wrong by pydantic's type of error; the rest is only said to be not right."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it stands: what is written in each field, and what is wrong there. Fields are named by dotted paths.

    A field whose name ends in `[]` may have several values.
    """

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, data: FormData) -> Self:
        """Take what was sent; files are left out."""
        names = dict.fromkeys(data.keys())
        return cls({name: [text for text in data.getlist(name) if isinstance(text, str)] for name in names})

    @classmethod
    def filled(cls, values: Mapping[str, str]) -> Self:
        """Make a form that says already what is known."""
        return cls({name: [value] for name, value in values.items()})

    def value(self, name: str) -> str:
        """Give what is written in a field; empty where nothing is."""
        return next(iter(self.values.get(name, ())), "")

    def has(self, name: str, value: str) -> bool:
        """Tell whether a choice is taken."""
        return value in self.values.get(name, ())

    def nested(self) -> dict[str, Any]:
        """Give the values in the shape of a body: `person.email` inside `person`; what is blank is left out.

        Raises Invalid where a name is another's part and value at once, which no form of ours sends.
        """
        body: dict[str, Any] = {}
        for name, texts in self.values.items():
            written = [text.strip() for text in texts if text.strip()]
            *above, last = name.removesuffix("[]").split(".")
            place = body
            for step in above:
                place = place.setdefault(step, {})
                if not isinstance(place, dict):
                    raise Invalid("The fields of this form contradict each other.", [(name, NOT_RIGHT)])
            if name.endswith("[]"):
                place[last] = written
            elif written:
                place[last] = written[0]
        return body

    def refused(self, error: ValidationError | Invalid, translator: Translator) -> Self:
        """Give the same form with what is wrong in it, said to the person."""
        if isinstance(error, Invalid):
            errors = {name: translator.gettext(message) for name, message in error.fields}
        else:
            errors = {
                field_name(fault["loc"]): translator.gettext(_message(fault["type"], fault["loc"]))
                for fault in reversed(error.errors(include_url=False, include_input=False))
            }
        return replace(self, errors=self._in_order(errors))

    def _in_order(self, errors: Mapping[str, str]) -> dict[str, str]:
        """Sort by the order in which the fields were sent, which is the order on the page."""
        order = {name.removesuffix("[]"): place for place, name in enumerate(self.values)}
        return dict(sorted(errors.items(), key=lambda error: order.get(error[0], len(order))))


def field_name(location: Iterable[int | str]) -> str:
    """Write where in a body something is: `sessions.0.starts_at`."""
    return ".".join(str(step) for step in location)


def _message(kind: str, location: Sequence[int | str]) -> str:
    if kind == "value_error" and location and "email" in str(location[-1]):
        return E_MAIL
    return _SAID.get(kind, NOT_RIGHT)
