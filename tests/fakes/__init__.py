"""Fakes of the ports: small, honest, and held to the same contracts as the real adapters (tests/contracts)."""
