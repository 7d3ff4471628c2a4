"""What the world really offers, one file per port and system."""
