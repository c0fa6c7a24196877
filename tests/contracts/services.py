"""The three services as they are described: with the subscriptions that each really has."""

from collections.abc import Sequence

from services.catalogue.subscribers import follow as catalogue
from services.notifications.operations.owe import Office
from services.notifications.subscribers import followers
from services.registration.subscribers import follow as registration
from shared.events.contract import Json
from shared.events.topics import SERVICES
from shared.messaging.asyncapi import Described, document
from shared.messaging.follow import Subscription

SITE = "https://convoca.test"
FOLLOWED: dict[str, Sequence[Subscription]] = {
    "catalogue": catalogue.subscriptions,
    "registration": registration.subscriptions,
    "notifications": followers(Office(staff=(), wake=lambda: None)).subscriptions,
}
DOCUMENTS: dict[str, Json] = {
    service: document(Described(service, FOLLOWED[service], SITE, "sasl_ssl")) for service in SERVICES
}
