"""S8 and G7: what a constraint costs."""
