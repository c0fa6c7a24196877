"""The whole system on one machine from wheels: PostgreSQL, a Kafka broker, front door, mails, services."""
