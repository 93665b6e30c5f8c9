"""The theory audit: the documents' mathematical claims, tested exactly on a CPU in under a minute."""
