"""Measures every claim of the project by one command, and writes the page about it."""
