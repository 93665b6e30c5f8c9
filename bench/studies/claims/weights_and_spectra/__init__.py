"""S3, S16, S17 and G2: the weights and singular values of constrained critics."""
