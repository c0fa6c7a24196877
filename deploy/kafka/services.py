"""What each service follows, asked of the services themselves."""

from deploy.kafka.rights import Right, of_service
from services.catalogue.subscribers import follow as catalogue
from services.notifications.operations.owe import Office
from services.notifications.subscribers import followers
from services.registration.subscribers import follow as registration


def _nobody_hears() -> None:
    """Stand for a sender that there is none of: only what is followed is asked."""


FOLLOWERS = {each.service: each for each in (catalogue, registration, followers(Office((), _nobody_hears)))}


def rights_of(service: str) -> tuple[Right, ...]:
    """Give what a service needs to do its part, and nothing else."""
    return of_service(service, FOLLOWERS[service].subscriptions)
