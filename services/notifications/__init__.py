"""Notifications: who is told."""
