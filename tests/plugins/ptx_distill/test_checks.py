"""Mistakes that are reported before the models are loaded."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from ptx.compose.jobs import compose_jobs
from ptx.errors import ConfigError
from ptx.hooks.host import get_host
from ptx.plan.planner import make_plan


def planned(*words):
    given = ["model=./student", "data=./rows.jsonl", "eval=[]", "device=cpu", *words]
    return make_plan(get_host(), "train", compose_jobs(get_host(), "train", given), "test").runs[-1]


def refusals(*words):
    with pytest.raises(ConfigError) as caught:
        planned(*words)
    return [str(problem) for problem in caught.value.problems]


FOREIGN = (
    "has another vocabulary than student, so its distribution over tokens cannot be learnt; try"
    " method=distill_gold"
)
WRONG = [
    (["method.layers=3"], "method.layers=3 is more than the 2 layers of student; try method.layers=1"),
    (["method.keep_layers=[0,2]"], "names layers that student does not have: it has 2"),
    (["method.teacher=./nobody"], "there is no model folder nobody"),
    (["method.teacher=strat"], "no model 'strat', and no such folder; did you mean 'start'?"),
    (["lora=lora", "method.features_weight=1"], "need a projection, which no adapter trains"),
    (["lora=lora", "method.lora.merge=false", "method.layers=1"], "an adapter beside its base"),
    (["method.args.packing=true"], "method.args.packing is for ptx to set"),
    (
        ["method.teacher=./fused", "method.attention_weight=1"],
        "fused has no self_attn.q_proj, k_proj and v_proj; set method.attention_weight=0",
    ),
    (["compress=[distill]"], "method=distill and compress=[distill] are the same step twice"),
    (["method.max_length=999"], "more than the model's context of 256 tokens"),
]


@pytest.mark.parametrize(("words", "said"), WRONG, ids=lambda value: str(value)[:40])
def test_mistakes_are_refused(desk, words, said):
    teacher = [] if words[0].startswith("method.teacher") else ["method.teacher=./teacher"]
    found = refusals("method=distill", *teacher, *words)
    assert any(said in problem for problem in found), found


@pytest.mark.parametrize("method", ["distill", "distill_onpolicy"])
def test_another_vocabulary_is_refused_where_tokens_are_compared(desk, method):
    file = desk / "teacher" / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["it"] = vocabulary.pop(max(vocabulary, key=vocabulary.get))
    file.write_text(json.dumps(tokenizer))
    words = [f"method={method}", "method.teacher=./teacher"]
    assert any(FOREIGN in problem for problem in refusals(*words))
    assert planned("method=distill_gold", "method.teacher=./teacher").steps
    assert planned("method=distill_sequence", "method.teacher=./teacher").steps


def test_embeddings_of_other_length_are_refused_on_policy_only(desk):
    file = desk / "teacher" / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"vocab_size": config["vocab_size"] + 8}))
    weights = load_file(desk / "teacher" / "model.safetensors")
    for name, matrix in weights.items():
        if name.endswith(("embed_tokens.weight", "lm_head.weight")):
            weights[name] = torch.cat([matrix, torch.zeros(8, matrix.shape[1], dtype=matrix.dtype)])
    save_file(weights, desk / "teacher" / "model.safetensors", {"format": "pt"})
    assert any(
        "needs embeddings of equal length" in problem
        for problem in refusals("method=distill_onpolicy", "method.teacher=./teacher")
    )
    assert planned("method=distill", "method.teacher=./teacher").steps
