"""K1–K3: what the documents name without a claim."""
