"""Mixed models with crossed random factors: ordinal scores, and scores by a metric."""
