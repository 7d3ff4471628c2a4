"""Threads and processes, tested with the ports' fakes."""
