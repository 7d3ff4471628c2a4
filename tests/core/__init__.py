"""Decisions, tested without a world."""
