"""Critics against a known optimal transport: what Korotin, Kolesov and Burnaev (2022) found of them."""
