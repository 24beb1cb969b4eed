"""Attacks on the servers of a study: what they are to withstand, tried on a copy of it."""
