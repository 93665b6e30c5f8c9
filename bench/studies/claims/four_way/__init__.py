"""S5 and G3: the four objectives side by side."""
