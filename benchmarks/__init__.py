"""Measures the claims of this project again. For developers; not part of the package."""
