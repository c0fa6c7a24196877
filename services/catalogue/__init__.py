"""Catalogue: what is on offer."""
