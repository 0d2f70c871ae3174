"""Searches: ``ptx sweep FILE`` with a ``search:`` part. Optuna proposes, ptx runs, records and judges.

A trial is an ordinary run (one per seed): composed, planned, taken through the store, recorded in the sweep's
folder. Optuna sees the numbers only, and its journal lies beside the records; losing it loses what the
sampler has learnt, no result. Optuna is imported when a search starts and not before (``pip install
'ptx[search]'``).
"""

from ptx.search.config import SearchConfig, read_search
from ptx.search.loop import Search, SearchOutcome

__all__ = ["Search", "SearchConfig", "SearchOutcome", "read_search"]
