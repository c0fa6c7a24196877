"""What a deployment by docker-compose.yml keeps in its folder: settings, secrets, the office's file."""
