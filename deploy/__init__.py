"""What runs the services: the command, the embedded stack, the front door, the demo."""
