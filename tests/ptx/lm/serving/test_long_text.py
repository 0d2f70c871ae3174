"""Long texts find what short ones cannot: windows that are dropped, and generation that stops."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

from ptx import StepError
from ptx.lm.serving.fidelity import compare, logits_of
from ptx.lm.serving.long_text import (
    boundaries,
    check_continues,
    check_long,
    compare_long,
    last_scores,
    long_text,
)
from ptx.lm.serving.token_model import TokenModel

WINDOW = 24
ROWS = [
    torch.randint(3, 60, (20,), generator=torch.Generator().manual_seed(seed)).tolist() for seed in range(4)
]


def network(window):
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = MistralConfig(
        vocab_size=60,
        sliding_window=window,
        max_position_embeddings=512,
        initializer_range=0.5,
        num_key_value_heads=1,
        **sizes,
    )
    return MistralForCausalLM(config).eval()


class Served(TokenModel):
    """A runtime that computes what ``network`` does; ``fails`` after so many tokens, ``other`` when it
    decodes."""

    def __init__(self, network, fails=10_000, other=False):
        super().__init__(None, None, max_length=512, vocabulary=60, ends=2, batch_size=8)
        self.ask, self.fails, self.other = logits_of(network), fails, other

    def prefill(self, rows):
        if len(rows[0]) > self.fails:
            raise RuntimeError("capacity (24) must be at least local_window_size")
        return np.stack([self.ask(row) for row in rows])

    def steps(self, rows, most, noise=None, *, endless=False):
        texts = [list(row) for row in rows]
        for _ in range(most):
            scores = self.prefill(texts)[:, -1]
            tokens = (-scores if self.other else scores).argmax(axis=-1)
            for text, token in zip(texts, tokens.tolist(), strict=True):
                text.append(token)
            yield tokens


@pytest.fixture(scope="module")
def model():
    return network(WINDOW)


def test_a_runtime_without_the_window_is_the_model_on_short_texts_and_refused_on_the_long_one(model):
    dropped = Served(network(None))
    short = compare(logits_of(model), dropped, ROWS)
    assert short.kl.value < 1e-9
    text = long_text(model, ROWS)
    assert text.boundaries == (WINDOW,)
    assert len(text.row) > WINDOW + 64
    found = compare_long(dropped, text)
    with pytest.raises(
        StepError, match=r"is not the model on long texts: at 320 tokens .*boundary at 24 tokens"
    ):
        check_long(short, found, text, "the package")


def test_a_runtime_that_gives_no_scores_over_the_vocabulary_is_refused_as_well(model):
    dropped, text = Served(network(None)), long_text(model, ROWS)
    short = compare(logits_of(model), dropped, ROWS)
    with pytest.raises(StepError, match="on long texts"):
        check_long(short, compare_long(dropped, text, drawn=True), text, "the file", exact=False)
    check_long(short, compare_long(Served(model), text, drawn=True), text, "the file", exact=False)


def test_the_model_itself_passes(model):
    served, text = Served(model), long_text(model, ROWS)
    check_long(compare(logits_of(model), served, ROWS), compare_long(served, text), text, "the package")
    check_continues(served, text, "the package")


def test_a_runtime_that_fails_beyond_the_window_is_refused_with_its_own_words(model):
    with pytest.raises(StepError, match=r"cannot continue a text of 320 tokens: capacity \(24\)"):
        check_continues(Served(model, fails=100), long_text(model, ROWS), "the package")


def test_a_runtime_that_decodes_otherwise_than_it_reads_is_refused(model):
    with pytest.raises(StepError, match=r"continues a text of 320 tokens otherwise than it scores it"):
        check_continues(Served(model, other=True), long_text(model, ROWS), "the package")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"sliding_window": 64}, (64,)),
        ({"sliding_window": 64, "layer_types": ["full_attention"]}, ()),
        ({"sliding_window": 4096}, ()),  # not below the context
        ({"attention_chunk_size": 128}, (128,)),
        ({"rope_parameters": {"rope_type": "longrope", "original_max_position_embeddings": 256}}, (256,)),
        ({"rope_parameters": {"rope_type": "llama3", "original_max_position_embeddings": 256}}, ()),
        ({}, ()),
    ],
)
def test_the_boundaries_are_those_below_the_context(config, expected):
    assert boundaries(SimpleNamespace(max_position_embeddings=512, **config)) == expected


def test_a_text_that_may_not_reach_a_boundary_says_so(model):
    text = long_text(model, ROWS, most=30)
    assert len(text.row) == 14
    assert text.untried == (WINDOW,)


def test_the_last_scores_are_those_of_the_whole_text(model):
    row = ROWS[0]
    np.testing.assert_allclose(last_scores(model, row, 5), logits_of(model)(row)[-5:], atol=1e-4)
