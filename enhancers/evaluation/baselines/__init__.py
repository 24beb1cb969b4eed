"""The baselines with which methods are compared, one per file; `catalog` lists them."""
