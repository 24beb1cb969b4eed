"""The blinded reader study: from a folder of cases to ratings, agreement and a report."""
