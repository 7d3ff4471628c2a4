"""The whole app on a virtual desktop with a virtual microphone."""
