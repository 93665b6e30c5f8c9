"""What lipbench costs beside the least it could cost; `python -m lipbench.bench.perf`, or `make perf`.

Timings only: no results of training, and nothing that a sweep needs.
"""
