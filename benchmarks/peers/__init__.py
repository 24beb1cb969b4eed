"""Rival denoisers from other packages, which run in a process and from a folder of their own."""
