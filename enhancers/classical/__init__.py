"""The classical methods, one a file, each named by its registry key."""
