"""The same command gives the same names."""

import pytest

from ptx.compose.jobs import Job
from ptx.plan.names import label_of, run_id, slug, sweep_name
from ptx.plan.plan import Measure, Step, Work
from ptx.store.store import Identity


def job(*overrides, varied=None):
    return Job(None, list(overrides), varied or {})


def work(seed):
    step = Step("train", "toy", None, None, Identity("steps", {"seed": seed}))
    return Work((step,), (Measure("count", None, Identity("evaluations", {"seed": seed})),), None, "cpu")


def test_the_name_of_a_run_depends_on_its_label_and_its_keys():
    assert run_id("method=toy", work(0)) == run_id("method=toy", work(0))
    assert run_id("method=toy", work(0)) != run_id("method=toy", work(1))
    assert run_id("method=toy", work(0)) != run_id("method=dpo", work(0))
    assert run_id("method=toy", work(0)).startswith("toy-")


def test_the_label_of_a_swept_run_is_what_varies():
    assert label_of(job("method=toy", "seed=1", varied={"seed": "1"})) == "seed=1"


def test_the_label_of_a_single_run_leaves_out_what_does_not_change_its_result():
    assert label_of(job("method=toy", "out=elsewhere", "name=mine")) == "method=toy"
    assert label_of(job("out=elsewhere")) == "defaults"


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("method=dpo", "dpo"),
        ("method=dpo method.beta=0.1", "dpo-beta-0.1"),
        ("model=./folder/model", "model"),
        ("compress=[]", "none"),
        ("compress=[gptq,awq] seed=1", "gptq-awq-seed-1"),
        ("method=" + "x" * 200, "x" * 80),
        ("method=ß", "run"),
    ],
)
def test_a_label_becomes_a_folder_name(label, name):
    assert slug(label) == name


def test_the_name_of_a_sweep_does_not_depend_on_the_order_of_its_words():
    assert sweep_name("train", [job("method=toy", "seed=1")]) == sweep_name(
        "train", [job("seed=1", "method=toy")]
    )
    assert sweep_name("train", [job("method=toy")]) != sweep_name("eval", [job("method=toy")])
    assert sweep_name("train", [job("method=toy", "out=a")]) == sweep_name("train", [job("method=toy")])


def test_the_name_of_a_sweep_says_what_it_is():
    assert sweep_name("train", [job("method=toy", "seed=1")]).startswith("train-toy-")
    assert sweep_name("train", [job("seed=1")]).startswith("train-defaults-")
    assert sweep_name("train", [job("seed=1"), job("seed=2")]).startswith("train-sweep-")
