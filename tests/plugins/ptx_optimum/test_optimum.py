"""The contract with a graph made here, and, where the environment is there (PTX_TEST_OPTIMUM=its Python), the
real export.
"""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import ptx_optimum
from ptx import ConfigError, ModelRef, RunConfig, StepError
from ptx.files import read_rows
from ptx.lm.load import load_tokenizer
from ptx.models.package import read_package
from ptx.testing import check_plugin
from ptx_hf import HF
from ptx_hf import ptx_load as open_hf
from ptx_optimum import OnnxOptimum, ptx_load, ptx_validate
from tests.plugins.conftest import TEMPLATE, save_tiny_llama

PROMPTS = ["Once upon a time", "The", "Lily and Tom went to the park", "Once upon a tide"]
STAND_IN = """
import json, shutil, sys
spec = json.load(open(sys.argv[1]))
shutil.copytree(spec["model"], spec["folder"], dirs_exist_ok=True)
shutil.copyfile({graph!r}, spec["folder"] + "/model.onnx")
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny_llama(tmp_path_factory.mktemp("models") / "chat", TEMPLATE)


@pytest.fixture(scope="module")
def package(model, tmp_path_factory):
    """A folder with a graph that has a cache: what it says next depends on the sum of all tokens so far."""
    folder = tmp_path_factory.mktemp("packages") / "sums"
    shutil.copytree(model, folder)
    width = json.loads((model / "config.json").read_text())["vocab_size"]
    write_graph(folder / "model.onnx", width)
    return folder


def write_graph(file, width):
    """scores[v] = sin((v + 1) * sum of the tokens so far): the cache keeps the tokens."""
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["floats"], to=TensorProto.FLOAT),  # (B, T)
        helper.make_node("Unsqueeze", ["floats", "axes"], ["new"]),  # (B, 1, T, 1)
        helper.make_node("Concat", ["past_key_values.0.key", "new"], ["present.0.key"], axis=2),
        helper.make_node("CumSum", ["present.0.key", "two"], ["sums"]),
        helper.make_node("Shape", ["input_ids"], ["length"], start=1, end=2),
        helper.make_node("Neg", ["length"], ["start"]),
        helper.make_node("Slice", ["sums", "start", "most", "axis"], ["last"]),  # (B, 1, T, 1)
        helper.make_node("Squeeze", ["last", "one"], ["states"]),  # (B, T, 1)
        helper.make_node("Mul", ["states", "words"], ["angles"]),
        helper.make_node("Sin", ["angles"], ["logits"]),
    ]
    constants = {"axes": [1, 3], "two": 2, "most": [2**31], "axis": [2], "one": [1]}
    held = [helper.make_tensor(n, TensorProto.INT64, np.shape(v), np.ravel(v)) for n, v in constants.items()]
    held.append(helper.make_tensor("words", TensorProto.FLOAT, (width,), np.arange(1, width + 1) / width))
    cache = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", 1, f"{name} length", 1])
    graph = helper.make_graph(
        nodes,
        "sums",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["B", "T"]),
            cache("past_key_values.0.key"),
        ],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", "T", width]),
            cache("present.0.key"),
        ],
        held,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), file)


def test_the_plugin_conforms():
    check_plugin("ptx_optimum")


def test_what_is_read_token_by_token_through_the_cache_is_what_is_read_at_once(package):
    lm = ptx_load(OnnxOptimum(), ModelRef.of(package, "package"))
    (whole,) = lm.logits([[3, 5, 7, 11]])
    assert whole.shape == (4, lm.vocabulary)
    assert whole.dtype == np.float32
    assert np.allclose(whole[2, 1], np.sin(15 * 2 / lm.vocabulary), atol=1e-6)
    reader = lm.reader(1)
    assert np.allclose([reader.read(np.array([[token]]))[0, 0] for token in (3, 5, 7, 11)], whole, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_prompt_gets_the_same_whatever_its_batch(package, temperature):
    together = ptx_load(OnnxOptimum(batch_size=8), ModelRef.of(package, "package")).generate(
        PROMPTS, 6, temperature=temperature, seed=3
    )
    alone = ptx_load(OnnxOptimum(batch_size=1), ModelRef.of(package, "package")).generate(
        PROMPTS, 6, temperature=temperature, seed=3
    )
    assert together == alone
    assert len(set(together)) > 1


def test_several_threads_are_answered_as_one_is(package):
    """What ``concurrent`` promises to eval.latency.concurrency."""
    lm = ptx_load(OnnxOptimum(), ModelRef.of(package, "package"))
    assert lm.concurrent
    alone = [lm.generate([prompt], 20) for prompt in PROMPTS]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert list(pool.map(lambda prompt: lm.generate([prompt], 20), PROMPTS)) == alone


def test_a_request_is_timed_in_two_parts(package):
    lm = ptx_load(OnnxOptimum(), ModelRef.of(package, "package"))
    first, rest = lm.time_request(4, 3, batch_size=2)
    assert first > 0
    assert rest > 0


def test_a_package_from_elsewhere_that_is_not_the_model_fails_the_step_with_the_figures(
    package, model, make_run, tmp_path, monkeypatch
):
    """The stand-in's graph is a graph, and not this model."""
    import sys

    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN.format(graph=str(package / "model.onnx")))
    from ptx import Outside

    monkeypatch.setattr(OnnxOptimum, "outside", lambda self: Outside(script, sys.executable))
    config = OnnxOptimum(max_perplexity_ratio=1.0001)
    run = make_run(RunConfig(runtime=config), [ptx_optimum]).at(record=tmp_path)
    with pytest.raises(StepError, match=r"the dynamic package has [\d.]+ times the model's perplexity .*KL"):
        run.host.first("ptx_export", run=run, runtime=config, model=ModelRef.of(model))
    (tmp_path / "far").mkdir()
    config = OnnxOptimum(max_perplexity_ratio=1e9)
    run = run.at(folder=tmp_path / "far", events=tmp_path / "far.jsonl")
    made = run.host.first("ptx_export", run=run, runtime=config, model=ModelRef.of(model))
    assert made.kind == "package"
    assert read_package(made.path)["source"] == ModelRef.of(model).digest
    assert read_package(made.path)["fidelity"][0]["value"] > 0


def test_what_the_other_environment_cannot_read_is_refused(model, tmp_path):
    assert ptx_validate(RunConfig(runtime=OnnxOptimum()), model) == []
    shutil.copytree(model, tmp_path / "packed")
    described = json.loads((model / "config.json").read_text())
    (tmp_path / "packed" / "config.json").write_text(
        json.dumps(described | {"quantization_config": {"bits": 4}})
    )
    (found,) = ptx_validate(RunConfig(runtime=OnnxOptimum()), tmp_path / "packed")
    assert "are packed" in str(found)
    (found,) = ptx_validate(RunConfig(runtime=OnnxOptimum(), device="cuda"), model)
    assert "serves on the CPU" in str(found)


def test_without_the_environment_it_is_said_how_to_make_it(monkeypatch):
    monkeypatch.delenv("PTX_STEP_PYTHON", raising=False)
    with pytest.raises(
        ConfigError, match=r"none is named; python -m venv VENV .*requirements\.txt, then runtime\.python="
    ):
        OnnxOptimum().outside().identity()


@pytest.mark.parametrize(
    "settings", [{"mode": "int4"}, {"calibration_rows": 0}, {"batch_size": 0}, {"max_perplexity_ratio": 1.0}]
)
def test_values_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match=r"runtime\.\w+ must be"):
        OnnxOptimum(**settings)


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("PTX_TEST_OPTIMUM"), reason="PTX_TEST_OPTIMUM does not name a Python with optimum-onnx"
)
@pytest.mark.parametrize(("mode", "most"), [("fp32", 1e-6), ("dynamic", 0.05), ("static", 1.0)])
def test_the_real_export_is_the_model_as_far_as_its_bits_go(mode, most, tmp_path, make_run):
    # a rotary base other than 10000: transformers 4 would not find it where transformers 5 writes it
    rope = {"rope_type": "default", "rope_theta": 500.0}
    model = save_tiny_llama(
        tmp_path / "chat", TEMPLATE, hidden_size=64, num_attention_heads=4, rope_parameters=rope
    )
    config = OnnxOptimum(mode=mode, python=os.environ["PTX_TEST_OPTIMUM"], max_perplexity_ratio=1e6)
    run = make_run(RunConfig(runtime=config), [ptx_optimum]).at(record=tmp_path)
    made = run.host.first("ptx_export", run=run, runtime=config, model=ModelRef.of(model))
    logged = [event for event in read_rows(run.events) if event["event"] == "log"][-1]["metrics"]
    assert logged["kl"] < most
    if mode == "fp32":
        expected = open_hf(HF(), ModelRef.of(model), "cpu").generate(PROMPTS, 12)
        assert ptx_load(config, made).generate(PROMPTS, 12) == expected
    assert load_tokenizer(made.path).get_vocab() == load_tokenizer(model).get_vocab()
