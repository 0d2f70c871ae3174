"""The contract of a language model, with a graph made here."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ptx import ModelRef
from ptx_optimum import OnnxOptimum, ptx_load

PROMPTS = ["Once upon a time", "The", "Lily and Tom went to the park", "Once upon a tide"]


def test_what_is_read_token_by_token_through_the_cache_is_what_is_read_at_once(package):
    lm = ptx_load(OnnxOptimum(), ModelRef.of(package, "package"))
    (whole,) = lm.logits([[3, 5, 7, 11]])
    assert whole.shape == (4, lm.vocabulary)
    assert whole.dtype == np.float32
    assert np.allclose(whole[2, 1], np.sin(15 * 2 / lm.vocabulary), atol=1e-6)
    reader = lm.reader(1)
    assert np.allclose([reader.read(np.array([[token]]))[0, 0] for token in (3, 5, 7, 11)], whole, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_prompt_gets_the_same_whatever_its_batch(package, temperature):
    together = ptx_load(OnnxOptimum(batch_size=8), ModelRef.of(package, "package")).generate(
        PROMPTS, 6, temperature=temperature, seed=3
    )
    alone = ptx_load(OnnxOptimum(batch_size=1), ModelRef.of(package, "package")).generate(
        PROMPTS, 6, temperature=temperature, seed=3
    )
    assert together == alone
    assert len(set(together)) > 1


def test_several_threads_are_answered_as_one_is(package):
    """What ``concurrent`` promises to eval.latency.concurrency."""
    lm = ptx_load(OnnxOptimum(), ModelRef.of(package, "package"))
    assert lm.concurrent
    alone = [lm.generate([prompt], 20) for prompt in PROMPTS]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert list(pool.map(lambda prompt: lm.generate([prompt], 20), PROMPTS)) == alone


def test_a_request_is_timed_in_two_parts(package):
    lm = ptx_load(OnnxOptimum(), ModelRef.of(package, "package"))
    first, rest = lm.time_request(4, 3, batch_size=2)
    assert first > 0
    assert rest > 0
