"""Every query of this service, by what it is about."""
