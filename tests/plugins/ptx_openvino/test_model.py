"""The contract of a language model, with a graph made here."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openvino
import pytest

from ptx_openvino import OpenVino, ptx_load

PROMPTS = ["Once upon a time", "The", "Lily and Tom went to the park", "Once upon a tide"]


def test_what_is_read_token_by_token_through_the_state_is_what_is_read_at_once(package):
    lm = ptx_load(OpenVino(), package)
    (whole,) = lm.logits([[3, 5, 7, 11]])
    assert whole.shape == (4, lm.vocabulary)
    assert whole.dtype == np.float32
    assert np.allclose(whole[2, 1], np.sin(15 * 2 / lm.vocabulary), atol=1e-6)
    reader = lm.reader(1)
    assert np.allclose(
        [reader.read(np.array([[token]]))[0, 0].copy() for token in (3, 5, 7, 11)], whole, atol=1e-5
    )


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_prompt_gets_the_same_whatever_its_batch(package, temperature):
    together = ptx_load(OpenVino(batch_size=8), package).generate(PROMPTS, 6, temperature=temperature, seed=3)
    alone = ptx_load(OpenVino(batch_size=1), package).generate(PROMPTS, 6, temperature=temperature, seed=3)
    assert together == alone
    assert len(set(together)) > 1


def test_several_threads_are_answered_as_one_is(package):
    """What ``concurrent`` promises to eval.latency.concurrency."""
    lm = ptx_load(OpenVino(), package)
    assert lm.concurrent
    alone = [lm.generate([prompt], 20) for prompt in PROMPTS]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert list(pool.map(lambda prompt: lm.generate([prompt], 20), PROMPTS)) == alone


def test_scores_that_were_given_out_stay_as_they_were(package):
    """OpenVINO writes the next answer into the same memory."""
    lm = ptx_load(OpenVino(), package)
    first, second = lm.logits([[3, 5], [4, 6]])
    assert not np.allclose(first, second)
    assert np.allclose(first[1, 0], np.sin(8 / lm.vocabulary), atol=1e-6)
    assert np.allclose(
        second[1, 0], np.sin(10 / lm.vocabulary), atol=1e-6
    )  # nothing of the first row is left


def test_scores_are_copied_before_another_thread_may_have_the_request_again(package, monkeypatch):
    class Taken:
        """Its memory is written over as soon as nobody holds it."""

        def read(self, tokens):
            self.scores = np.zeros((1, 2, 3), np.float32)
            return self.scores

        def __del__(self):
            self.scores.fill(np.nan)

    lm = ptx_load(OpenVino(), package)
    monkeypatch.setattr(lm, "reader", lambda count: Taken())
    assert np.isfinite(lm.prefill([[1, 2]])).all()


def test_a_request_is_timed_in_two_parts(package):
    first, rest = ptx_load(OpenVino(), package).time_request(4, 3, batch_size=2)
    assert first > 0
    assert rest > 0


def test_float32_is_computed_in_float32_whatever_the_cpu_would_rather_do(package):
    """By default OpenVINO uses bfloat16 on a CPU that has it, and 8 bits for keys, values and activations."""
    assert OpenVino(precision="fp32").properties == OpenVino(compute="float32").properties
    compiled = ptx_load(OpenVino(), package).model
    assert compiled.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32
    assert compiled.get_property("KV_CACHE_PRECISION") == openvino.Type.f32
    assert compiled.get_property("DYNAMIC_QUANTIZATION_GROUP_SIZE") == 0
