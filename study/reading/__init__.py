"""What a reader does: state, presentation of pairs, ratings, progress."""
