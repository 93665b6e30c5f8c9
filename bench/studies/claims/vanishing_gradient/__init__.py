"""S2, S12 and G1: the generator's gradient while the critic comes close to its optimum."""
