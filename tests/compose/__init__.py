"""The deployment by docker-compose.yml, on an engine."""
