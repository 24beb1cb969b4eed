"""Evaluation of methods on images with a known truth: protocols, baselines, measures, tables."""
