"""Scores of a whole text from llama.cpp's hidden states, against what its server says of the next token."""

import numpy as np
import pytest

from ptx.lm.load import load_model, load_tokenizer
from ptx.models.package import write_package
from ptx_gguf.export import limits
from ptx_gguf.files import write
from ptx_gguf.model import FILE, GgufLanguageModel
from ptx_gguf.reading import Head


@pytest.mark.parametrize("kind", ["q4_0", "q5_1", "q8_0", "f16", "bf16"])
def test_what_is_read_at_once_is_what_the_server_says_after_the_prompt(kind, chat_model, tmp_path):
    """The output matrix is multiplied here, with the other side rounded as llama.cpp rounds it."""
    network = load_model(chat_model)
    write(network, chat_model, tmp_path / FILE, kind)
    load_tokenizer(chat_model).save_pretrained(tmp_path)
    write_package(tmp_path, "gguf", "digest", limits(network))
    opened = GgufLanguageModel(tmp_path, context=256)
    row = np.random.default_rng(0).integers(6, 250, 120).tolist()
    after = opened.prefill([row])[0, -1]
    said = opened._all(row, goes_on=False)
    opened.close()
    assert np.exp(after).sum() == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(after, said, atol=2e-3)


def test_a_text_longer_than_there_is_room_for_scores_is_scored_token_by_token(f32_package, monkeypatch):
    whole = GgufLanguageModel(f32_package, context=64)
    row = [1, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140]
    expected = whole.prefill([row])
    whole.close()
    monkeypatch.setattr("ptx_gguf.reading.SCORES", 4.0 * whole.vocabulary * 10)
    opened = GgufLanguageModel(f32_package, context=64)
    assert opened._reads(row[:10]).longest == 10
    assert opened._reads(row) is None
    np.testing.assert_allclose(opened.prefill([row]), expected, atol=0.02)
    opened.close()


def test_a_matrix_that_is_too_large_to_be_kept_is_unpacked_in_parts(f32_package, monkeypatch):
    states = np.random.default_rng(0).normal(size=(3, 32)).astype(np.float32)
    expected = Head(f32_package / FILE).log_probs(states)
    monkeypatch.setattr("ptx_gguf.reading.MATRIX", 0.0)
    monkeypatch.setattr("ptx_gguf.reading.WORDS", 100)
    np.testing.assert_allclose(Head(f32_package / FILE).log_probs(states), expected, atol=1e-5)
