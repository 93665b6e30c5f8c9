"""How objectives are compared: from a suite to records, tables and verdicts."""
