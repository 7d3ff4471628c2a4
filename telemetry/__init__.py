"""An offline-first event client that accounts for every event."""
