"""What every service stands on: the contracts, the bus, the database, the web."""

VERSION = "0.1.0"
"""Of the distribution, and of what its documents describe."""
