"""The study as a server by itself, or alongside the compare page."""
