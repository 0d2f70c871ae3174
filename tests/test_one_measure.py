"""One rule of measurement above the runtimes: the same weights give the same numbers on every runtime."""

import json

import pytest

from ptx import Evaluator
from ptx.cli import main
from ptx.hooks.host import get_host

pytestmark = pytest.mark.usefixtures("warm")

#: evaluators that measure the runtime itself, and those that measure a scorer
OTHERS = {"latency", "reward", "process"}
#: settings that keep the test short
FEW = [
    "eval.bench.limit=4",
    "eval.perplexity.limit=6",
    "eval.perplexity.window=64",
    "eval.divergence.limit=6",
    "eval.forgetting.limit=8",
    "eval.judge.limit=6",
    "eval.judge.max_new_tokens=24",
    "eval.tools.files=[./calls.jsonl]",
    "eval.tools.max_new_tokens=24",
]
ADD = {
    "name": "add",
    "description": "Add two numbers.",
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
}
#: what eval=[tools] asks; the embedded data have no tools
CALLS = [
    {"prompt": "What is 3 + 4?", "tools": [ADD], "calls": [{"name": "add", "arguments": {"a": 3, "b": 4}}]},
    {"prompt": "Who are you?", "tools": [ADD], "calls": []},
]
#: the largest relative difference of two numbers: float32 in other orders of summation
TOLERANCE = 1e-5
#: numbers below this are the rounding of float32, such as the KL of a model from itself
NOTHING = 1e-7


def measured(folder):
    """Metrics, and replies by evaluator and item, of a run."""
    metrics = {
        (one["name"], one["segment"]): one["value"]
        for one in json.loads((folder / "result.json").read_text())["metrics"]
    }
    replies = {
        (file.stem, row["item"]): row.get("output")
        for file in (folder / "evaluations").glob("*.jsonl")
        for row in map(json.loads, file.read_text(encoding="utf-8").splitlines())
    }
    return metrics, replies


@pytest.mark.slow  # every evaluator runs twice on a real model, and one export is built
def test_every_evaluator_gives_the_same_numbers_on_transformers_and_on_an_exact_export(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime_genai")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "calls.jsonl").write_text("".join(json.dumps(row) + "\n" for row in CALLS))
    evaluators = sorted(
        choice.name
        for choice in get_host().choices.values()
        if issubclass(choice.config_type, Evaluator) and choice.name not in OTHERS
    )
    words = [
        "model=tiny",
        "data=tiny",
        "runtime=[hf,onnx_fp32]",
        f"eval=[{','.join(evaluators)}]",
        "name=one",
    ]
    assert main(["eval", *words, *FEW]) == 0
    (hf, replies), (onnx, other) = map(measured, sorted((tmp_path / "ptx-out/runs/one").glob("runtime-*")))
    assert {name.partition("/")[0] for name, _ in hf} == set(evaluators)
    assert hf.keys() == onnx.keys()
    apart = {
        name: (value, onnx[name])
        for name, value in hf.items()
        if abs(value - onnx[name]) > max(NOTHING, TOLERANCE * abs(value))
    }
    assert apart == {}
    assert replies == other
