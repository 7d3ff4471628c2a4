"""Hotkeys, one module per system. Choosing one is the composition root's business (app.py)."""
