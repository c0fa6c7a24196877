"""Registration: who takes part."""
