"""Registration as a process of its own: `python -m services.registration`."""

from services.registration.app import build
from services.registration.settings import RegistrationSettings
from shared.runtime import serve

if __name__ == "__main__":
    serve("registration", RegistrationSettings, build)
