"""IFEval's verifiable instructions (Zhou et al. 2023), by lm-eval's own checkers, without a network.

lm-eval downloads nltk's punkt_tab while it is imported; here nothing is downloaded. Two of the 25
instructions need it (counting sentences, words in capitals). If it is not on the machine, replies to them
have no score, and a message says so. langdetect draws random numbers; its seed is set, so that verdicts are
reproducible.
"""

from __future__ import annotations

import contextlib
import functools
import io
from typing import Any

from ptx.guard.patterns import limited
from ptx.lm.progress import replaced

LEVELS = (
    "prompt_level_strict_acc",
    "inst_level_strict_acc",
    "prompt_level_loose_acc",
    "inst_level_loose_acc",
)
NEEDS_PUNKT = ("length_constraints:number_sentences", "change_case:capital_word_frequency")
FETCH = "python -m nltk.downloader punkt_tab"


@functools.cache
def _checkers() -> Any:
    """lm-eval's module of checkers, imported without a download."""
    import langdetect
    import nltk

    langdetect.DetectorFactory.seed = 0
    with replaced(nltk, "download", lambda *_, **__: False), contextlib.redirect_stdout(io.StringIO()):
        from lm_eval.tasks.ifeval import utils
    return utils


def known() -> frozenset[str]:
    """Names of the instructions that can be checked."""
    return frozenset(_checkers().instructions_registry.INSTRUCTION_DICT)


@functools.cache
def has_punkt() -> bool:
    """Whether nltk's sentence splitter is on this machine."""
    import nltk

    try:
        nltk.data.find("tokenizers/punkt_tab")
    except LookupError:
        return False
    return True


def checked(row: dict[str, Any], reply: str) -> dict[str, Any] | None:
    """lm-eval's scores of a reply by :data:`LEVELS`; None if punkt is needed and missing.

    Levels of prompts have a bool, those of instructions a list of bools.
    """
    if not has_punkt() and any(name in NEEDS_PUNKT for name in row["instruction_id_list"]):
        return None
    with limited("", reply, "kwargs of an instruction"):
        found: dict[str, Any] = _checkers().process_results(row, [reply])
    return found
