"""An example of a package that ships an objective for lipbench."""
