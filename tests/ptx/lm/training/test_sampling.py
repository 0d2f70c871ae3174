"""Answers for methods that learn from rewards, from the model itself and from other runtimes."""

from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoModelForCausalLM

import ptx_grpo
import ptx_onnx
import ptx_ppo
import ptx_rloo
import ptx_scorers
from ptx import Lora, RunConfig, Speed, StepError
from ptx.hooks.host import get_host
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx.lm.serving.continuing import continued
from ptx.lm.training import sampling
from ptx.lm.training.sampling import drawn, weigh
from ptx.lm.training.validate import rollout_problems
from ptx_grpo import GRPO
from ptx_ppo import PPO
from ptx_rloo import RLOO
from ptx_scorers import Regex
from tests.architectures import build

pytestmark = pytest.mark.usefixtures("warm")

PROMPTS = [{"prompt": f"what is {n} plus {n}? ", "answer": 2 * n} for n in range(16)]
QUICK = {"learning_rate": 1e-3, "batch_size": 8, "max_completion_length": 6, "max_steps": 2, "warmup": 0.0}
PLUGINS = [ptx_grpo, ptx_rloo, ptx_ppo, ptx_scorers, ptx_onnx]


@pytest.mark.parametrize("name", ["rwkv", "minimax"])
def test_a_model_that_mixes_up_the_rows_of_a_batch_is_not_trained_on_rewards(tmp_path, name):
    policy = AutoModelForCausalLM.from_pretrained(build(name, tmp_path / name))
    with pytest.raises(StepError, match="train the model with method=sft"):
        sampling.refuse_mixed_rows(policy)
    sampling.refuse_mixed_rows(AutoModelForCausalLM.from_pretrained(build("gemma2", tmp_path / "gemma2")))


@pytest.fixture
def trained(make_run, train, make_data):
    """``trained(model, method)``: what a training with it has logged, step by step."""

    def start(model, method, name="step"):
        scorers = {"plain": Regex(pattern="[a-z]", full=False)}
        run = make_run(RunConfig(method=method, scorer=scorers), PLUGINS, name)
        train(run, model, make_data("prompts", PROMPTS))
        return [shown for shown in run.console.progressed if "reward" in shown]

    return start


def grpo(**settings):
    return GRPO(**{**QUICK, "rewards": ["plain"], "num_generations": 4, **settings})


def test_a_token_is_drawn_from_the_softmax():
    torch.manual_seed(0)
    scores = torch.tensor([[2.0, 1.0, -float("inf"), -1.0]])
    found = drawn(scores.repeat(20000, 1), 0.5)
    expected = torch.softmax(scores[0] / 0.5, -1)
    assert torch.bincount(found, minlength=4) / 20000 == pytest.approx(expected, abs=0.012)
    assert not (found == 2).any()


def test_the_prompt_of_a_group_is_read_once(trained, chat_model, monkeypatch):
    asked = []

    def spied(model, rows, *rest):
        asked.append((len(rows), len({tuple(row) for row in rows}), model.training))
        return continued(model, rows, *rest)

    monkeypatch.setattr(sampling, "continued", spied)
    trained(chat_model, grpo())
    assert asked == [(8, 2, False)] * 2


@pytest.mark.parametrize("lora", [None, Lora(r=4)])
def test_in_bfloat16_weights_are_cast_once_for_all_tokens(trained, chat_model, monkeypatch, lora):
    casts = Counter()

    class Seen(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func is torch.ops.aten._to_copy.default and args[0].shape == (32, 64):
                casts[args[0].data_ptr()] += 1
            return func(*args, **(kwargs or {}))

    def spied(model, rows, most, *rest):
        assert not torch.is_inference_mode_enabled()
        with Seen():
            return continued(model, rows, most, *rest)

    monkeypatch.setattr(sampling, "continued", spied)
    method = grpo(lora=lora, max_steps=1, speed=Speed(bf16=True))
    trained(chat_model, method)
    assert list(casts.values()) == [1, 1], "down_proj of each layer"


@pytest.mark.parametrize("method", [GRPO, RLOO, PPO])
@pytest.mark.parametrize("lora", [None, Lora(r=4)])
def test_rewards_can_be_learnt_with_products_in_bfloat16(trained, chat_model, tmp_path, method, lora):
    model = tmp_path / "narrow"  # on bfloat16's grid, as most checkpoints are
    save_model(load_model(chat_model).bfloat16(), load_tokenizer(chat_model), model)
    settings = {**QUICK, "rewards": ["plain"], "lora": lora, "num_generations": 4}
    if method is PPO:
        settings.pop("num_generations")
    wide = trained(model, method(**settings, speed=Speed(bf16=False)), "wide")
    narrow = trained(model, method(**settings, speed=Speed(bf16=True)), "narrow")
    assert len(narrow) == len(wide) == 2
    assert narrow != wide
    assert narrow[0]["entropy"] == pytest.approx(wide[0]["entropy"], rel=0.1)


@pytest.mark.parametrize("method", [RLOO, PPO])
def test_the_other_methods_sample_in_the_same_way(trained, chat_model, monkeypatch, method):
    asked = []
    monkeypatch.setattr(sampling, "continued", lambda *given: asked.append(1) or continued(*given))
    shown = trained(chat_model, method(**QUICK, rewards=["plain"]))
    assert len(asked) == len(shown) == 2


def test_settings_that_only_transformers_knows_leave_the_sampling_to_it(trained, chat_model, monkeypatch):
    monkeypatch.setattr(sampling, "continued", lambda *_: pytest.fail("not here"))
    trained(chat_model, grpo(args={"top_k": 200}, max_steps=1))
    trained(chat_model, grpo(rollout="trl", max_steps=1), "other")


@pytest.mark.slow  # two exports to ONNX Runtime for each
@pytest.mark.parametrize("lora", [None, Lora(r=4)])
def test_a_runtime_samples_from_the_weights_of_the_step_and_the_gap_is_logged(trained, chat_model, lora):
    settings = {"learning_rate": 0.05, "lora": lora, "rollout": "onnx"}
    shown = trained(chat_model, grpo(**settings, rollout_args={"batch_size": 4}))
    gaps = [one["sampling/sampling_logp_difference/mean"] for one in shown]
    assert len(gaps) == 2
    assert 0 < max(gaps) < 1e-3, "the second step was sampled from the first step's weights"
    assert shown[1]["sampling/importance_sampling_ratio/mean"] == pytest.approx(1, abs=1e-2)


def test_an_answer_that_its_sampler_found_likelier_weighs_less():
    noted = {}
    ratio = weigh(torch.tensor([-3.0, -1.0, -2.0]), [[-1.0, -1.0], [-4.0], [-2.0]], 3.0, noted.__setitem__)
    assert ratio.tolist() == pytest.approx([torch.e**-1, 3.0, 1.0])
    assert float(noted["sampling/sampling_logp_difference/mean"]) == pytest.approx((0.5 + 3.0 + 0) / 3)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rollout": "vlm"}, "no method.rollout 'vlm'; did you mean 'vllm'"),
        ({"rollout": "onnx", "rollout_args": {"precisoin": "fp32"}}, "no setting 'precisoin'"),
        ({"rollout": "vllm", "rollout_args": {"python": "/nowhere"}}, "method.rollout=vllm: "),
    ],
)
def test_a_sampler_that_cannot_be_is_refused_before_anything_is_loaded(chat_model, settings, words):
    config = RunConfig(method=grpo(**settings))
    (problem,) = rollout_problems(config.method, config, chat_model)
    assert words in f"{problem.what}; {problem.fix}"


def test_several_processes_cannot_share_another_runtime(chat_model):
    config = RunConfig(method=grpo(rollout="onnx"))
    config.launch = SimpleNamespace(ranks=2)
    (problem,) = rollout_problems(config.method, config, chat_model)
    assert "several" in problem.what


def test_settings_of_a_runtime_are_refused_where_none_samples():
    assert get_host().names("runtime")
    with pytest.raises(ValueError, match="rollout_args are for a runtime"):
        grpo(rollout_args={"precision": "fp32"})
