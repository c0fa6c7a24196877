"""What every service stands on: the contracts, the bus, the database, the web."""
