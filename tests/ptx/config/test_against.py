"""One run is named by its label, its id or its choices; anything else is refused with what there is."""

from __future__ import annotations

import pytest

from ptx.compose.jobs import compose_jobs
from ptx.config.against import Named, find
from ptx.errors import ConfigError
from ptx.plan.planner import make_plan

RUNS = [
    Named({"compress": "[]", "runtime": "hf"}, "uncompressed · hf", ["none-1"]),
    Named({"compress": "[gptq]", "runtime": "hf"}, "gptq · hf", ["gptq-2"]),
    Named({"compress": "[gptq]", "runtime": "onnx"}, "gptq · onnx", ["gptq-3"]),
]


@pytest.mark.parametrize(
    ("text", "place"),
    [("compress=[]", 0), ("runtime=onnx compress=[gptq]", 2), ("gptq · hf", 1), ("gptq-3", 2)],
)
def test_a_run_is_found_by_any_of_its_names(text, place):
    assert find(text, RUNS) == place


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "compress=[gptq]",
            "means 2 runs; name more of the choices; it can be any of: gptq · hf; gptq · onnx",
        ),
        (
            "compress=[rtn]",
            (
                "is none of the runs; name one by its choices, label or id: uncompressed · hf; gptq · hf;"
                " gptq · onnx"
            ),
        ),
    ],
)
def test_a_name_of_none_or_several_is_refused_with_the_names_that_exist(text, message):
    with pytest.raises(ConfigError, match=r"against=") as caught:
        find(text, RUNS)
    assert message in str(caught.value)


def test_a_sweep_that_declares_a_run_it_does_not_have_is_refused_before_it_starts(toy_host, desk):
    words = ["model=./model", "data=./text.jsonl", "method=toy,other", "seed=0,1", "eval=[latency]"]
    make_plan(
        toy_host,
        "train",
        compose_jobs(toy_host, "train", [*words, "against='method=toy'"], multirun=True),
        "ptx test",
    )
    with pytest.raises(ConfigError, match="is none of the runs"):
        make_plan(
            toy_host,
            "train",
            compose_jobs(toy_host, "train", [*words, "against='method=ty'"], multirun=True),
            "ptx test",
        )
