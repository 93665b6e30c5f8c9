"""An example of a package that ships an objective, a critic, a data set, a metric and an extractor for lipbench."""
