"""Measures the claims of this project again. For its developers: no part of the package."""
