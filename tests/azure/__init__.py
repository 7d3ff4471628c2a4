"""An emulator of Azure Speech: the real SDK talks to it over loopback (service.py), and it really listens."""
