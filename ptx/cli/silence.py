"""``--quiet``: what a command prints is its result, and what has failed.

The variable reaches every terminal of the command, and the processes that it starts.
"""

from __future__ import annotations

import os
import sys

SILENCE = "PTX_QUIET"
FAILED = "failed"  # how the lines begin that are printed all the same, on standard error


def silent() -> bool:
    """Whether only results and failures are wanted."""
    return bool(os.environ.get(SILENCE))


def say_failure(text: str) -> None:
    """Print the line of a failure; any other line is dropped."""
    if text.startswith(FAILED):
        print(text, file=sys.stderr)
