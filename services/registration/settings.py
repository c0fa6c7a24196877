"""What registration is told by its environment, beyond what every service is."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, PositiveInt

from shared.settings import ServiceSettings


def _number_or_off(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class RegistrationSettings(ServiceSettings):
    """`rate_limit`: requests to enrol a minute and address, or `off`."""

    rate_limit: Annotated[PositiveInt | Literal["off"], BeforeValidator(_number_or_off)] = 60

    @property
    def per_minute(self) -> int | None:
        """The limit as a number, None for without."""
        return None if self.rate_limit == "off" else self.rate_limit
