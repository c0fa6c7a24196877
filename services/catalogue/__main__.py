"""The catalogue as a process of its own: `python -m services.catalogue`."""

from services.catalogue.app import build
from shared.runtime import serve
from shared.settings import ServiceSettings

if __name__ == "__main__":
    serve("catalogue", ServiceSettings, build)
