import pytest
from transformers import AutoModelForCausalLM, GenerationConfig

from ptx.lm.serving.padding import ANY, EQUAL, NONE, batched, ends_alone, places_together
from tests.architectures import build


@pytest.mark.parametrize(
    ("name", "which"), [("llama", ANY), ("gemma2", ANY), ("minimax", EQUAL), ("rwkv", NONE)]
)
def test_a_trial_shows_which_rows_a_model_continues_together_as_each_alone(tmp_path, name, which):
    model = AutoModelForCausalLM.from_pretrained(build(name, tmp_path / name)).eval()
    model.generation_config = ends_alone(model.generation_config)
    assert batched(model) == which


def test_rows_are_put_together_as_far_as_the_model_can():
    assert places_together([3, 5, 3], ANY) == [[0, 1, 2]]
    assert places_together([3, 5, 3], EQUAL) == [[1], [0, 2]]
    assert places_together([3, 5, 3], NONE) == [[0], [1], [2]]


def test_of_a_generation_config_only_the_ends_of_a_text_are_kept():
    held = GenerationConfig(eos_token_id=[2, 5], bos_token_id=1, suppress_tokens=[7], stop_strings=["."])
    kept = ends_alone(held)
    assert (kept.bos_token_id, kept.eos_token_id, kept.pad_token_id) == (1, [2, 5], None)
    assert (kept.suppress_tokens, kept.stop_strings) == (None, None)
