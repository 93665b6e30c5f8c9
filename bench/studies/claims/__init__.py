"""Studies of what the documents claim of GANs: S* on toys, G* on images."""
