"""Notifications as a process of its own: `python -m services.notifications`."""

from services.notifications.app import build
from services.notifications.settings import Settings
from shared.runtime import serve

if __name__ == "__main__":
    serve("notifications", Settings, build)
