"""What is planned and what is refused, before a weight is loaded: who teaches whom, the key, and mistakes."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from ptx.compose.jobs import compose_jobs
from ptx.errors import ConfigError
from ptx.hooks.host import get_host
from ptx.plan.planner import make_plan
from ptx.records import ModelRef
from ptx_distill import Distill, Gold, OnPolicy, Sequence
from ptx_distill.settings import uncompressed


@pytest.fixture
def desk(tmp_path, monkeypatch, chat_model, wide_teacher, messages):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in messages))
    for name, model in {"student": chat_model, "teacher": wide_teacher}.items():
        shutil.copytree(model, tmp_path / name)
    fused = shutil.copytree(wide_teacher, tmp_path / "fused") / "model.safetensors"
    save_file(
        {name.replace(".q_proj", ".qkv_proj"): weight for name, weight in load_file(fused).items()},
        fused,
        {"format": "pt"},
    )
    return tmp_path


def planned(*words):
    given = ["model=./student", "data=./rows.jsonl", "eval=[]", "device=cpu", *words]
    return make_plan(get_host(), "train", compose_jobs(get_host(), "train", given), "test").runs[-1]


def refusals(*words):
    with pytest.raises(ConfigError) as caught:
        planned(*words)
    return [str(problem) for problem in caught.value.problems]


def test_compress_distill_and_method_distill_are_the_same_step(desk):
    (method,) = planned("method=distill", "method.teacher=./teacher").steps
    (compressor,) = planned("method=null", "compress=[distill]", "compress.distill.teacher=./teacher").steps
    assert (method.kind, method.key) == (compressor.kind, compressor.key) == ("train", method.key)
    assert method.models["teacher"].path.name == "teacher"


@pytest.mark.parametrize(
    ("recipe", "step", "teacher"),
    [
        ("distill_prune_quantise", "distill", "start"),
        ("prune_distill_quantise", "distill", "start"),
        ("sft_prune_distil", "distil", "sft"),
        ("sft_prune_distil", "again", "sft"),
        ("sft_distil", "distil", "sft"),
    ],
)
def test_the_teacher_is_the_model_before_the_first_compression(desk, recipe, step, teacher):
    folder = desk / "conf" / "recipe"
    folder.mkdir(parents=True)
    steps = (
        "sft: {method: sft}\n  prune: {compress: sparsegpt}\n  distil: {method: distill}\n  prune_more:"
        " {compress: sparsegpt}\n  again: {compress: distill}"
    )
    (folder / "sft_prune_distil.yaml").write_text(f"why: x\nsteps:\n  {steps}\n")
    (folder / "sft_distil.yaml").write_text(
        "why: x\nsteps:\n  sft: {method: sft}\n  distil: {compress: distill, layers: 1}\n"
    )
    quantise = ["recipe.steps.quantise.group_size=-1"] if "quantise" in recipe else []
    run = planned(f"recipe={recipe}", *quantise)
    found = next(part.models["teacher"] for part in run.steps if part.name == step)
    assert (
        (found.digest == ModelRef.of(desk / "student").digest) if teacher == "start" else (found == teacher)
    )


def test_without_any_compression_before_it_the_input_is_the_teacher():
    assert uncompressed({}) == "input"
    assert uncompressed({"sft": object()}) == "input"
    assert uncompressed({"distill": Distill()}) == "start"


def test_the_teachers_content_and_what_is_learnt_are_in_the_key_and_the_cache_is_not(desk):
    def key(*words):
        return planned("method=distill", "method.teacher=./teacher", *words).steps[0].key

    before = key()
    assert key("method.cache_teacher=false") == before
    shutil.copytree(desk / "teacher", desk / "copy")
    assert key("method.teacher=./copy") == before
    assert key("method.student=./student") != before != key("method.temperature=2")
    (desk / "teacher" / "generation_config.json").write_text("{}")
    assert key() != before


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
    vocabulary["it"] = len(vocabulary)
    file.write_text(json.dumps(tokenizer))
    words = [f"method={method}", "method.teacher=./teacher"]
    assert any(FOREIGN in problem for problem in refusals(*words))
    assert planned("method=distill_gold", "method.teacher=./teacher").steps
    assert planned("method=distill_sequence", "method.teacher=./teacher").steps


def test_embeddings_of_other_length_are_refused_on_policy_only(desk):
    file = desk / "teacher" / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"vocab_size": config["vocab_size"] + 8}))
    assert any(
        "needs embeddings of equal length" in problem
        for problem in refusals("method=distill_onpolicy", "method.teacher=./teacher")
    )
    assert planned("method=distill", "method.teacher=./teacher").steps


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (Distill, {"logits_weight": 0}, "are all 0, so there is no loss"),
        (Distill, {"temperature": 0.0}, "method.temperature must be positive"),
        (Distill, {"temperature": 0.3}, r"too low for method.top_k=64; try method.top_k=0"),
        (Distill, {"divergence": "jsd", "beta": 0.0}, "try method.divergence=forward_kl"),
        (Distill, {"divergence": "kl"}, "there is no method.divergence 'kl'"),
        (Distill, {"data_weight": -1.0}, "method.data_weight must be at least 0"),
        (Distill, {"layers": 2, "keep_layers": [0]}, "are both given"),
        (Distill, {"keep_layers": [2, 1]}, "must be different numbers in ascending order"),
        (Sequence, {"sampling": -0.1}, "method.sampling must be at least 0"),
        (OnPolicy, {"beta": 1.5}, r"method.beta must lie in \[0, 1\]"),
        (Gold, {"on_policy": 2.0}, r"method.on_policy must lie in \[0, 1\]"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        kind(**settings)
