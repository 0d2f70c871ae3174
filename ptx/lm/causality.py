"""Whether a network's scores at a token are free of the tokens that follow it.

A causal language model predicts each token from those before it. transformers opens networks as such that are
none: XLNet and the embedding models made of Gemma read both ways, and Doge in transformers 5.17 gives its
attention a mask of its own without the causal one. Their losses and log-likelihoods are far too good, and
their answers are those of another function. There is no list of architectures: :func:`refuse_foresight` tries
it, in one forward pass over three short rows.

Rounding makes no foresight. In a batch, and in a mixture of experts, products have other shapes when later
tokens change; a router may then choose another expert. So the change is held against the one that *earlier*
tokens cause, and a suspicion must be borne out by other rows, each read alone (RWKV in transformers 5.17
mixes up the rows of a batch). Over 63 causal architectures the two differ by five orders of magnitude or
more, in float32 and in bfloat16; over XLNet and Doge by less than a factor of three.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ptx.errors import StepError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: largest share of later tokens' influence in that of earlier ones: far above rounding, far below foresight
SHARE = {torch.float32: 1e-3, torch.float64: 1e-3}
COARSE = 0.05
HALF = 5  # tokens before and after the place that is looked at
TRIALS = 3
REFUSED = (
    "{name} is no causal language model as transformers {version} computes it ({kind}): its scores after a"
    " token change with the tokens that follow (by {later:.2g} nats; with the tokens before it by"
    " {earlier:.2g}), so losses, log-likelihoods and answers would be wrong; use a model that reads a text in"
    " one direction, or a release of transformers in which this one does"
)


def refuse_foresight(model: PreTrainedModel, name: str) -> None:
    """Raise StepError if the scores after a token depend on the tokens that follow it.

    Args:
        model: the network in evaluation mode.
        name: what the message calls it.
    """
    if found := foresight(model):
        import transformers

        later, earlier = found
        kind, version = type(model).__name__, transformers.__version__
        raise StepError(REFUSED.format(name=name, kind=kind, version=version, later=later, earlier=earlier))


def foresight(model: PreTrainedModel) -> tuple[float, float] | None:
    """How far later tokens change the scores after a token, and how far earlier ones do, in nats.

    None for a causal model.
    """
    most = SHARE.get(model.dtype, COARSE)
    later, earlier = _changes(_scores(model, rows := _rows(model, 0)))
    for trial in range(1, TRIALS):
        if later <= most * earlier:
            return None
        rows = _rows(model, trial)
        later, earlier = _changes(torch.cat([_scores(model, [row]) for row in rows]))
    return None if later <= most * earlier else (later, earlier)


def _rows(model: PreTrainedModel, trial: int) -> list[list[int]]:
    """Three rows of two halves: the second has another end, the third another beginning."""
    size = model.get_input_embeddings().weight.shape[0]  # type: ignore[union-attr]
    begin, end, other_end, other_begin = (
        [(first + 11 * trial + step * place) % size for place in range(HALF)]
        for first, step in ((3, 7), (5, 17), (9, 23), (4, 13))
    )
    other_begin[-1] = begin[-1]  # the scores are those after it
    return [begin + end, begin + other_end, other_begin + end]


def _scores(model: Any, rows: list[list[int]]) -> Tensor:
    """Log-probabilities after the first half of each row: (B, V)."""
    ids = torch.tensor(rows, device=model.device)
    with torch.no_grad():  # what a packed checkpoint unpacks here may be trained later
        return torch.log_softmax(model(input_ids=ids).logits[:, HALF - 1].float(), dim=-1)


def _changes(scores: Tensor) -> tuple[float, float]:
    """The largest change of the scores (3, V) by another end and by another beginning."""
    later, earlier = ((scores[0] - scores[other]).abs().max() for other in (1, 2))
    return float(later), float(earlier)
