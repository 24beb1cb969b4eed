"""The statistics of the command line, each from a table of ratings to results by key."""
