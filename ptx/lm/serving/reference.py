"""What a model says about the texts on which its packages are compared with it, computed once for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptx.hooks.run import Run
from ptx.lm.serving.dense import open_original
from ptx.lm.serving.fidelity import Fidelity, Row, compare, compare_drawn, logits_of, openings, own_text
from ptx.lm.serving.loglikelihood import logits_of as scores_of_rows
from ptx.lm.serving.long_text import LongText, check_continues, check_long, compare_long, long_text
from ptx.lm.serving.token_model import TokenModel
from ptx.records import ModelRef

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FURTHER = 24  # texts, divided by the openings; those with the first one are drawn
LARGEST = 500_000_000  # scores that are kept; 2 GB
TOGETHER = 32  # rows of a pass


class Reference:
    """A model with the texts that it wrote, and its scores of them."""

    def __init__(
        self, network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, seed: int, most: int | None = None
    ) -> None:
        self.network, self.tokenizer, self.seed = network, tokenizer, seed
        self.rows = own_text(network, tokenizer, seed)
        self.starts = openings(tokenizer)
        self.long: LongText | None = long_text(network, self.rows, most)
        self.expected = _kept(network, self.rows)

    @classmethod
    def of(cls, run: Run, model: ModelRef, most: int | None = None) -> Reference:
        """Open ``model`` and let it write; texts have at most ``most`` tokens."""
        return cls(*open_original(run, model), run.seed, most)

    def further_texts(self) -> tuple[list[list[int]], int]:
        """Texts of one length on which nothing is compared, and the tokens that the model did not write."""
        start, count = self.starts[0], FURTHER // len(self.starts)
        rows = own_text(self.network, self.tokenizer, self.seed + 1, count, starts=[start])
        return [row for row in rows if len(row) == len(rows[0])], len(start)

    def compare(self, lm: TokenModel) -> Fidelity:
        """The divergence of a package on the model's own texts, from the scores of the whole vocabulary."""
        return compare(self.expected, lm, self.rows)

    def compare_drawn(self, lm: TokenModel) -> Fidelity:
        """The same for a runtime that gives no scores over the vocabulary."""
        return compare_drawn(self.expected, lm, self.rows, self.starts)

    def check_long(
        self, lm: TokenModel, short: Fidelity, what: str, *, drawn: bool = False
    ) -> dict[str, Any]:
        """Refuse a package that is another model beyond a window or another boundary, or stops there.

        Returns:
            What was compared, for the record of the package.

        Raises:
            StepError: it is another model; the message says from where on.
        """
        if self.long is None:
            return {}
        found = compare_long(lm, self.long, drawn=drawn)
        check_long(short, found, self.long, what, exact=not drawn)
        check_continues(lm, self.long, what)
        return {
            "tokens": len(self.long.row),
            "boundaries": list(self.long.boundaries),
            "untried": list(self.long.untried),
            "kl": found.kl.value,
        }


def _kept(network: PreTrainedModel, rows: Sequence[Row]) -> Callable[[Row], NDArray[np.float32]]:
    """The scores of a row of ``rows``, or of a row that one of them begins with.

    The first of them that is asked for brings all of them, in few passes, as long as they fit into memory.
    """
    ask = logits_of(network)
    fitting = LARGEST // (network.get_input_embeddings().weight.shape[0] * max(map(len, rows)))
    answers: dict[tuple[int, ...], NDArray[np.float32]] = {}

    def again(row: Row) -> NDArray[np.float32]:
        if not answers:
            read = scores_of_rows(network, rows[:fitting], TOGETHER)
            answers.update((tuple(one), scores.numpy()) for one, scores in zip(rows, read, strict=False))
        key = tuple(row)
        found = next((scores for one, scores in answers.items() if one[: len(key)] == key), None)
        return ask(row) if found is None else found[: len(key)]

    return again
