"""The classical methods, one per file, each named by its registry key."""
