"""An example of a package that ships an objective, a critic and a data set for lipbench."""
