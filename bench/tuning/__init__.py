"""An equal budget of random configurations per objective, and the best of them with fresh seeds (Lucic et al. 2018).

Runs are made by runner.py as those of any sweep; the tables and the plot are report/tuning.py's.
"""

from .search import tune

__all__ = ["tune"]
