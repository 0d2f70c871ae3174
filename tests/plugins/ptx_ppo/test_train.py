"""PPO: it learns, resumes bit for bit, and keeps its critic if asked."""

import pytest
from transformers import AutoModelForTokenClassification

from ptx import Lora, StepError
from ptx.lm.load import load_model
from ptx.models.inspection import tensors_of, weight_files
from tests.plugins.ptx_ppo.conftest import PLUGINS, PROMPTS


@pytest.mark.parametrize("lora", [None, Lora(r=2)], ids=["whole", "adapters"])
def test_a_training_that_was_stopped_goes_on_to_the_same_bits(
    ppo, make_run, train, make_data, chat_model, lora
):
    data = make_data("prompts", PROMPTS)
    whole, made = ppo(
        chat_model, data, "whole", max_steps=4, iterations=2, checkpoint_every=2, keep_critic=True, lora=lora
    )
    broken = make_run(whole.config, PLUGINS, "broken")

    def stop_at_three(metrics, step, total=None):
        if step == 3:
            raise KeyboardInterrupt

    object.__setattr__(broken, "log", stop_at_three)
    with pytest.raises(KeyboardInterrupt):
        train(broken, chat_model, data)
    again = train(make_run(whole.config, PLUGINS, "broken"), chat_model, data)
    assert again.digest == made.digest
    names = [name for file in weight_files(made.path) for name, _, _ in tensors_of(file)]
    assert not any("critic" in name for name in names)
    assert load_model(made).config.architectures == ["LlamaForCausalLM"]
    assert AutoModelForTokenClassification.from_pretrained(whole.folder / "critic").config.num_labels == 1


def test_training_raises_the_reward(ppo, make_data, chat_model):
    run, _ = ppo(
        chat_model, make_data("prompts", PROMPTS), max_steps=12, batch_size=32, learning_rate=3e-3, beta=0.0
    )
    rewards = [shown["reward"] for shown in run.console.progressed if "reward" in shown]
    assert sum(rewards[-3:]) > sum(rewards[:3]) + 0.3


def test_fewer_prompts_than_a_step_takes_fail_the_step(ppo, make_data, chat_model):
    """Long prompts are left out when the step runs, so the plan cannot know."""
    with pytest.raises(StepError, match="no step was trained: there are fewer rows than one step takes"):
        ppo(chat_model, make_data("prompts", PROMPTS[:3]), batch_size=8)
