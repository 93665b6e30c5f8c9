"""One run, from its specification to its record. Knows nothing of other runs."""
