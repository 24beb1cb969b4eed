"""From a protocol to a frozen plan, and the life of the study after that."""
