"""S10 and G6: the documents' advice on training WGANs."""
