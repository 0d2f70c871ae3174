import json

import numpy as np
import pytest
import torch

from ptx import RunConfig
from ptx.lm.load import load_model, load_tokenizer
from ptx.models.package import write_package
from ptx_gguf import Gguf, ptx_validate
from ptx_gguf.architectures import ARCHITECTURES
from ptx_gguf.export import limits
from ptx_gguf.files import write
from ptx_gguf.model import FILE, GgufLanguageModel
from tests.architectures import build

#: of tests/architectures.py, all that are written; the first is quick
WRITTEN = ["gemma3_6", "llama", "llama_llama3", "llama_bias", "llama_odd", "qwen2", "qwen3", "qwen3_head32"]
WRITTEN += ["gemma", "gemma2", "phi", "phi3", "olmo", "olmo2", "smollm3_4", "granite", "starcoder2", "cohere"]
WRITTEN += ["stablelm", "gpt_neox", "gpt2", "mixtral", "qwen3_moe"]
CACHED = 0.006  # nats: llama.cpp keeps keys and values in 16 bits


def difference(folder, work):
    """The largest difference of llama.cpp's log-probabilities from transformers', beyond the window too."""
    network = load_model(folder)
    write(network, folder, work / FILE, "f32")
    load_tokenizer(folder).save_pretrained(work)
    write_package(work, "gguf", "digest", limits(network))
    row = torch.randint(3, 700, (1, 70), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(row).logits[0].log_softmax(-1).numpy()
    lm = GgufLanguageModel(work, 512)
    try:
        asked = max(
            np.abs(lm._all(row[0, :size].tolist(), goes_on=False) - expected[size - 1]).max()
            for size in (1, 5, 20, 45, 70)
        )
        return max(asked, np.abs(lm.prefill(row.tolist())[0] - expected).max())
    finally:
        lm.close()


@pytest.mark.parametrize(
    "name", [WRITTEN[0], *(pytest.param(n, marks=pytest.mark.slow) for n in WRITTEN[1:])]
)
def test_llama_cpp_serves_the_logits_of_transformers(tmp_path, name):
    (tmp_path / "package").mkdir()
    assert difference(build(name, tmp_path / name), tmp_path / "package") < CACHED


def test_every_architecture_that_is_written_is_tried(tmp_path):
    kinds = set()
    for name in WRITTEN:
        folder = build(name, tmp_path / name)
        kinds |= set(json.loads((folder / "config.json").read_text())["architectures"])
        assert ptx_validate(RunConfig(runtime=Gguf(context=32)), folder) == [], name
    assert kinds == set(ARCHITECTURES) - {"MistralForCausalLM"}  # a Llama


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("llama", {"hidden_act": "gelu"}, "cannot write the activation 'gelu'"),
        ("gpt2", {"activation_function": "relu"}, "cannot write the activation 'relu'"),
        ("qwen3", {"attention_bias": True}, "Qwen3ForCausalLM with attention_bias=True"),
        ("gemma2", {"attn_logit_softcapping": None}, "with no attn_logit_softcapping"),
        ("gemma2", {"query_pre_attn_scalar": 100}, "query_pre_attn_scalar=100; llama.cpp computes with 16"),
        ("gemma2", {"layer_types": ["full_attention"] * 3}, "layer_types other than"),
        ("gemma3_6", {"final_logit_softcapping": 30.0}, "final_logit_softcapping=30.0"),
        ("gemma3", {}, "layer_types other than a layer of 6"),
        ("smollm3", {}, "no_rope_layers other than every fourth layer"),
        ("qwen3_moe", {"norm_topk_prob": False}, "norm_topk_prob=False; llama.cpp computes with True"),
        ("qwen3_moe", {"mlp_only_layers": [1]}, "mlp_only_layers=[1]"),
        ("starcoder2", {"use_bias": False}, "use_bias=False"),
        ("gpt_neox", {"attention_bias": False}, "attention_bias=False"),
        ("qwen2_moe", {}, "cannot write Qwen2MoeForCausalLM"),
        ("mamba", {}, "cannot write MambaForCausalLM"),
    ],
)
def test_what_the_file_cannot_say_is_refused_from_the_config_alone(tmp_path, name, changes, said):
    folder = build(name, tmp_path / name)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    (problem,) = ptx_validate(RunConfig(runtime=Gguf(context=32)), folder)
    assert said in str(problem)
    assert "use runtime=hf" in str(problem)
