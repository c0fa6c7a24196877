"""Where enrolments are asked for, by machines and by people: gathered, paced, and given their links."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from fastapi import Request
from prometheus_client import Histogram

from services.registration import operations
from services.registration.gather import Gatherer
from services.registration.operations import Keyed, Outcome, Overtaken
from services.registration.settings import RegistrationSettings
from shared.observability import NOWHERE, Origin, stemming, tracing
from shared.runtime import Service
from shared.web.limits import RateLimit
from shared.web.tokens import Links

GATHERED = Histogram(
    "convoca_gathered_requests",
    "Requests to enrol by HTTP that were decided in one transaction",
    buckets=(1, 2, 5, 10, 25, 50, 100, 200),
)


@dataclass(slots=True)
class Desk:
    """What API and pages share of one process."""

    service: Service
    links: Links
    rate_limit: RateLimit
    public_url: str
    _gatherer: Gatherer[Keyed, Outcome] = field(init=False)

    def __post_init__(self) -> None:
        self._gatherer = Gatherer(self._decide)

    @classmethod
    def of(cls, service: Service, settings: RegistrationSettings) -> "Desk":
        """Set up a desk as the settings say."""
        return cls(
            service,
            Links(settings.secret_keys),
            RateLimit(settings.per_minute, service.clock),
            str(settings.public_url).rstrip("/"),
        )

    async def enrol(self, asked: Keyed) -> Outcome:
        """Decide a request, together with those that come at the same time."""
        return await self._gatherer.ask(asked)

    def manage_path(self, enrolment_id: UUID) -> str:
        """Give the path of the page on which its holder sees an enrolment and may withdraw."""
        return f"/enrolments/{self.links.enrolment_token(enrolment_id)}"

    def manage_url(self, enrolment_id: UUID) -> str:
        """Give the address of that page."""
        return self.public_url + self.manage_path(enrolment_id)

    async def _decide(self, asked: Sequence[Keyed]) -> Sequence[Outcome]:
        with _seen(asked):
            while True:
                with contextlib.suppress(Overtaken):  # who overtook us has committed: that key is settled next time
                    async with self.service.transaction() as tx:
                        return await operations.enrol_once(tx, asked)


def desk_of(request: Request) -> Desk:
    """Give the desk of the process that a request has come to."""
    desk: Desk = request.app.state.desk
    return desk


@contextlib.contextmanager
def _seen(asked: Sequence[Keyed]) -> Iterator[None]:
    """Count what is decided together; of one request it is part of its trace, of many it has one of its own."""
    GATHERED.observe(len(asked))
    sources = [each.request.cause for each in asked if isinstance(each.request.cause, Origin)]
    with stemming(sources[0] if len(asked) == len(sources) == 1 else NOWHERE):
        links = [each.traceparent for each in sources if each.traceparent]
        with tracing.span("decide enrolments", {"convoca.requests": len(asked)}, links=links):
            yield
