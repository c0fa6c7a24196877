"""The services' apps, built once."""

import pytest
from fastapi import FastAPI

from tests.contracts.apps import built


@pytest.fixture(scope="session")
def apps() -> dict[str, FastAPI]:
    """Give the app of each service, not started."""
    return built()
