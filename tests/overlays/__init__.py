"""The overlays of the deployment by docker-compose.yml, each on an engine, in a deployment of its own."""
