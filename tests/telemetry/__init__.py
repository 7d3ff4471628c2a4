"""The telemetry client keeps its promises."""
