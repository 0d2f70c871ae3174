"""Which texts transformers' ``generate`` may continue together, and without a folder's own settings.

``generate`` pads at the beginning and masks the padding. Some models do not look at the mask: the linear
attention of MiniMax reads the padding as text. RWKV's state in transformers 5.17 mixes up the rows of a batch
even where nothing is padded. The reply to a prompt would depend on the prompts beside it. There is no list of
architectures: :func:`batched` tries it.

``generate`` also takes every setting that its caller leaves open from generation_config.json (suppressed and
forced tokens, stop strings, penalties). What is measured is defined by the caller alone, on every runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ptx.lm.serving.loglikelihood import tolerance_of

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel

#: rows that may be read together
ANY, EQUAL, NONE = "rows of any length", "rows of one length", "no two rows"
SHORT, LONG, NEW = 5, 9, 3  # tokens of the trial


def ends_alone(held: GenerationConfig) -> GenerationConfig:
    """A generation config that says only where a text begins and ends, as ``held`` does."""
    from transformers import GenerationConfig

    return GenerationConfig(
        bos_token_id=held.bos_token_id, eos_token_id=held.eos_token_id, pad_token_id=held.pad_token_id
    )


def batched(model: PreTrainedModel) -> str:
    """Which rows the model continues together as it does each alone: ANY, EQUAL or NONE."""
    size = model.get_input_embeddings().weight.shape[0]
    one, other = ([(first + 7 * place) % size for place in range(LONG)] for first in (3, 5))
    if _gap(model, [one[:SHORT], other]) <= (most := tolerance_of(model)):
        return ANY
    return EQUAL if _gap(model, [one, other]) <= most else NONE


def places_together(lengths: list[int], which: str) -> list[list[int]]:
    """The places of rows of such lengths in groups that may be read together, the longest first."""
    if which == ANY:
        return [list(range(len(lengths)))]
    if which == NONE:
        return [[place] for place in range(len(lengths))]
    return [
        [place for place, length in enumerate(lengths) if length == wanted]
        for wanted in sorted({*lengths}, reverse=True)
    ]


def _gap(model: PreTrainedModel, rows: list[list[int]]) -> float:
    """The largest difference of the next tokens' log-probabilities between rows together and each alone."""
    alone = torch.stack([_scores(model, [row])[0] for row in rows])
    gap = float((_scores(model, rows) - alone).abs().max())
    return gap if gap == gap else float("inf")  # noqa: PLR0124 (nan)


def _scores(model: Any, rows: list[list[int]]) -> Tensor:
    """Log-probabilities of the next tokens after each of the rows, which are padded: (B, NEW, V)."""
    width = max(map(len, rows))
    padding = [width - len(row) for row in rows]
    ids = torch.tensor([[0] * pad + row for pad, row in zip(padding, rows, strict=True)], device=model.device)
    mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in padding], device=model.device)
    with torch.inference_mode():
        made = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=NEW,
            min_new_tokens=NEW,
            do_sample=False,
            num_beams=1,
            pad_token_id=0,
            output_logits=True,
            return_dict_in_generate=True,
        )
    return torch.stack([scores.float() for scores in made.logits], dim=1).log_softmax(dim=-1)
