"""Is a method better, by how much, and on what: protocols, cases, candidates, tables and plots."""
