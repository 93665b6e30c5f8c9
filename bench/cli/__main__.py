"""`python -m lipbench.bench.cli`, where no script `lipbench` is installed."""

from . import main

if __name__ == "__main__":
    main()
