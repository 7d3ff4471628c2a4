"""Pure values and decisions. Nothing here touches a thread, a clock, a disk or a device."""
