"""Everything a person sees, and everything Qt."""
