"""Comparison of methods: scores in pairs and families, preferences, blinding."""
