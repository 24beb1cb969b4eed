"""Limits of every server: connections, bodies, log lines, and whose forwarded addresses count."""
