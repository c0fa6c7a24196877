"""A story on the running system, acted and checked from outside: over HTTP, Kafka and mail, as others would."""
