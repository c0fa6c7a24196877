"""What is used while images are built; no image keeps it."""
