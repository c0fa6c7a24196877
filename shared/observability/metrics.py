"""The metrics that every service has; the README of this folder tells an operator what each says."""

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("convoca_events_total", "Events that a consumer took, by what became of them", ["consumer", "outcome"])
BATCH_EVENTS = Histogram(
    "convoca_batch_events", "Events taken in one transaction", ["consumer"], buckets=(1, 2, 5, 10, 50, 100, 500, 1000)
)
BATCH_SECONDS = Histogram(
    "convoca_batch_seconds",
    "Time from a batch's records to its commit or its failure",
    ["consumer"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
RETRIES = Counter(
    "convoca_retries_total",
    "Attempts made again: after an outage, after a bug, or of an event that waits",
    ["consumer", "cause"],
)
LAG = Gauge(
    "convoca_consumer_lag_records",
    "Records of a partition assigned to this process that it has not taken yet",
    ["consumer", "topic", "partition"],
)
DEAD_LETTERS = Counter("convoca_dead_letters_total", "Records that became dead letters", ["consumer", "reason"])
DEAD_LETTERS_OPEN = Gauge("convoca_dead_letters_open", "Dead letters that nobody has settled yet", ["reason"])
PARKED = Gauge("convoca_parked_events", "Events that wait for what they refer to", ["consumer"])
PARKED_SECONDS = Gauge("convoca_parked_oldest_seconds", "Age of the event that has waited longest", ["consumer"])

SENT = Counter("convoca_outbox_sent_total", "Messages that the relay sent", ["topic"])
OUTBOX = Gauge("convoca_outbox_messages", "Committed messages that are not sent yet")
OUTBOX_SECONDS = Gauge("convoca_outbox_oldest_seconds", "Age of the oldest message that is not sent yet")
REFUSED = Counter("convoca_outbox_refused_total", "Messages that the broker refused for good", ["topic"])
SET_ASIDE = Gauge("convoca_outbox_set_aside", "Messages that the broker refused for good and that are kept")
RELAY_ERRORS = Counter("convoca_relay_errors_total", "Failures of the relay, after each of which it begins anew")
LEADING = Gauge("convoca_relay_leading", "1 where this process relays the outbox")

HTTP_SECONDS = Histogram(
    "convoca_http_request_seconds",
    "Time from a request's arrival to the end of its answer",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
LOOP_LAG = Histogram(
    "convoca_loop_lag_seconds",
    "How late the event loop comes to what is due",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)
UNREAD = Counter("convoca_gauges_unread_total", "Times that gauges could not be read, which then say NaN", ["source"])
SPANS = Counter("convoca_spans_total", "Spans of traces, by whether the collector took them", ["outcome"])
