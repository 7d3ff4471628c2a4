"""Adapters, tested against the real thing: a real X server, a real sound server, a real disk."""
