"""The plugin itself: the step that is planned, its teacher and its key."""

import shutil

import pytest

from ptx.compose.jobs import compose_jobs
from ptx.hooks.host import get_host
from ptx.plan.planner import make_plan
from ptx.records import ModelRef
from ptx.testing import check_plugin


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_distill")


def planned(*words):
    given = ["model=./student", "data=./rows.jsonl", "eval=[]", "device=cpu", *words]
    return make_plan(get_host(), "train", compose_jobs(get_host(), "train", given), "test").runs[-1]


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


def test_the_teachers_content_what_is_learnt_and_how_texts_are_batched_are_in_the_key(desk):
    def key(*words):
        return planned("method=distill", "method.teacher=./teacher", *words).steps[0].key

    before = key()
    assert key("method.cache_teacher=false") != before != key("speed=exact")  # other last digits
    shutil.copytree(desk / "teacher", desk / "copy")
    assert key("method.teacher=./copy") == before
    assert key("method.student=./student") != before != key("method.temperature=2")
    (desk / "teacher" / "generation_config.json").write_text("{}")
    assert key() != before
