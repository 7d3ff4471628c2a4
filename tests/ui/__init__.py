"""Windows, tray and overlay, tested in a real Qt."""
