"""Engines, tested with real models and real speech."""
