"""What is measured on samples and networks. Trains nothing."""
