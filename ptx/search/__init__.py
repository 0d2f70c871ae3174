"""Hyperparameter search: ``ptx sweep FILE`` with a ``search:`` part.

Optuna proposes the points; ptx runs, records and judges them. A trial is an ordinary run (one per seed): it
is composed, planned, executed through the store, and recorded in the sweep's folder. Optuna sees only
numbers. Its journal lies beside the records; without the journal the sampler's knowledge is lost, but no
result. Optuna is imported when a search starts (``pip install 'ptx[search]'``).
"""

from ptx.search.config import SearchConfig, read_search
from ptx.search.loop import Search, SearchOutcome

__all__ = ["Search", "SearchConfig", "SearchOutcome", "read_search"]
