"""The far side of the process border: what turns audio into text, one file per engine."""
