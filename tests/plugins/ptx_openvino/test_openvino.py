"""The contract with a graph made here, and, where the environment is there (PTX_TEST_OPENVINO=its Python),
the real export.
"""

import json
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

import ptx_openvino
from ptx import ConfigError, ModelRef, Outside, RunConfig, StepError
from ptx.files import read_rows
from ptx.models.package import read_package, write_package
from ptx.testing import check_plugin
from ptx_hf import HF
from ptx_hf import ptx_load as open_hf
from ptx_openvino import OpenVino, ptx_load, ptx_validate
from tests.plugins.conftest import TEMPLATE, save_tiny_llama

PROMPTS = ["Once upon a time", "The", "Lily and Tom went to the park", "Once upon a tide"]
STAND_IN = """
import json, shutil, sys
spec = json.load(open(sys.argv[1]))
shutil.copytree(spec["model"], spec["folder"], dirs_exist_ok=True)
for kind in ("xml", "bin"):
    shutil.copyfile({graph!r} + "." + kind, spec["folder"] + "/openvino_model." + kind)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny_llama(tmp_path_factory.mktemp("models") / "chat", TEMPLATE)


@pytest.fixture(scope="module")
def package(model, tmp_path_factory):
    """A package whose graph keeps a state: what it says next depends on the sum of all tokens so far."""
    folder = tmp_path_factory.mktemp("packages") / "sums"
    shutil.copytree(model, folder)
    write_graph(folder / "openvino_model.xml", json.loads((model / "config.json").read_text())["vocab_size"])
    write_package(folder, "openvino", "", {"properties": OpenVino(compute="float32").properties})
    return ModelRef.of(folder, "package")


def write_graph(file, width):
    """scores[v] = sin((v + 1) / width * sum of the tokens so far): the state is the sum."""
    ids = ops.parameter([-1, -1], np.int64, name="input_ids")  # (B, T)
    ids.output(0).set_names({"input_ids"})
    floats = ops.convert(ids, "f32")
    zero = ops.multiply(ops.reduce_sum(floats, np.array([1]), keep_dims=True), np.float32(0))
    before = ops.read_value(zero, "sum", openvino.Type.f32, openvino.PartialShape([-1, 1]))
    sums = ops.add(ops.cum_sum(floats, np.int64(1)), before)
    kept = ops.assign(ops.gather(sums, np.array([-1]), np.int64(1)), "sum")
    words = ops.constant(np.arange(1, width + 1, dtype=np.float32) / width)
    logits = ops.sin(ops.multiply(ops.unsqueeze(sums, np.int64(2)), words))
    openvino.save_model(openvino.Model([ops.result(logits)], [kept], [ids]), file, compress_to_fp16=False)


def test_the_plugin_conforms():
    check_plugin("ptx_openvino")


def test_what_is_read_token_by_token_through_the_state_is_what_is_read_at_once(package):
    lm = ptx_load(OpenVino(), package)
    (whole,) = lm.logits([[3, 5, 7, 11]])
    assert whole.shape == (4, lm.vocabulary)
    assert whole.dtype == np.float32
    assert np.allclose(whole[2, 1], np.sin(15 * 2 / lm.vocabulary), atol=1e-6)
    reader = lm.reader(1)
    assert np.allclose(
        [reader.read(np.array([[token]]))[0, 0].copy() for token in (3, 5, 7, 11)], whole, atol=1e-5
    )


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_prompt_gets_the_same_whatever_its_batch(package, temperature):
    together = ptx_load(OpenVino(batch_size=8), package).generate(PROMPTS, 6, temperature=temperature, seed=3)
    alone = ptx_load(OpenVino(batch_size=1), package).generate(PROMPTS, 6, temperature=temperature, seed=3)
    assert together == alone
    assert len(set(together)) > 1


def test_several_threads_are_answered_as_one_is(package):
    """What ``concurrent`` promises to eval.latency.concurrency."""
    lm = ptx_load(OpenVino(), package)
    assert lm.concurrent
    alone = [lm.generate([prompt], 20) for prompt in PROMPTS]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert list(pool.map(lambda prompt: lm.generate([prompt], 20), PROMPTS)) == alone


def test_scores_that_were_given_out_stay_as_they_were(package):
    """OpenVINO writes the next answer into the same memory."""
    lm = ptx_load(OpenVino(), package)
    first, second = lm.logits([[3, 5], [4, 6]])
    assert not np.allclose(first, second)
    assert np.allclose(first[1, 0], np.sin(8 / lm.vocabulary), atol=1e-6)
    assert np.allclose(
        second[1, 0], np.sin(10 / lm.vocabulary), atol=1e-6
    )  # nothing of the first row is left


def test_scores_are_copied_before_another_thread_may_have_the_request_again(package, monkeypatch):
    class Taken:
        """Its memory is written over as soon as nobody holds it."""

        def read(self, tokens):
            self.scores = np.zeros((1, 2, 3), np.float32)
            return self.scores

        def __del__(self):
            self.scores.fill(np.nan)

    lm = ptx_load(OpenVino(), package)
    monkeypatch.setattr(lm, "reader", lambda count: Taken())
    assert np.isfinite(lm.prefill([[1, 2]])).all()


def test_a_request_is_timed_in_two_parts(package):
    first, rest = ptx_load(OpenVino(), package).time_request(4, 3, batch_size=2)
    assert first > 0
    assert rest > 0


def test_float32_is_computed_in_float32_whatever_the_cpu_would_rather_do(package):
    """By itself OpenVINO takes bfloat16 on a CPU that has it, keys and values in 8 bits, and activations in 8
    bits.
    """
    assert OpenVino(precision="fp32").properties == OpenVino(compute="float32").properties
    compiled = ptx_load(OpenVino(), package).model
    assert compiled.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32
    assert compiled.get_property("KV_CACHE_PRECISION") == openvino.Type.f32
    assert compiled.get_property("DYNAMIC_QUANTIZATION_GROUP_SIZE") == 0


def test_a_package_from_elsewhere_that_is_not_the_model_fails_the_step_with_the_figures(
    package, model, make_run, tmp_path, monkeypatch
):
    """The stand-in's graph is a graph, and not this model."""
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN.format(graph=str(package.path / "openvino_model")))
    monkeypatch.setattr(OpenVino, "outside", lambda self: Outside(script, sys.executable))
    config = OpenVino(max_perplexity_ratio=1.0001)
    run = make_run(RunConfig(runtime=config), [ptx_openvino]).at(record=tmp_path)
    with pytest.raises(StepError, match=r"the int8 package has [\d.]+ times the model's perplexity .*KL"):
        run.host.first("ptx_export", run=run, runtime=config, model=ModelRef.of(model))
    (tmp_path / "far").mkdir()
    config = OpenVino(max_perplexity_ratio=1e9)
    run = run.at(folder=tmp_path / "far", events=tmp_path / "far.jsonl")
    made = run.host.first("ptx_export", run=run, runtime=config, model=ModelRef.of(model))
    assert made.kind == "package"
    assert read_package(made.path)["source"] == ModelRef.of(model).digest
    assert read_package(made.path)["fidelity"][0]["value"] > 0
    assert ptx_load(config, made).generate(PROMPTS[:1], 3)


def test_what_the_other_environment_cannot_read_is_refused(model, tmp_path):
    assert ptx_validate(RunConfig(runtime=OpenVino()), model) == []
    shutil.copytree(model, tmp_path / "packed")
    described = json.loads((model / "config.json").read_text())
    (tmp_path / "packed" / "config.json").write_text(
        json.dumps(described | {"quantization_config": {"bits": 4}})
    )
    (found,) = ptx_validate(RunConfig(runtime=OpenVino()), tmp_path / "packed")
    assert "runtime=openvino exports plain weights, and those of" in str(found)


def test_without_the_environment_it_is_said_how_to_make_it(monkeypatch):
    monkeypatch.delenv("PTX_STEP_PYTHON", raising=False)
    with pytest.raises(
        ConfigError, match=r"none is named; python -m venv VENV .*requirements\.txt, then runtime\.python="
    ):
        OpenVino().outside().identity()


@pytest.mark.parametrize(
    "settings",
    [
        {"precision": "int3"},
        {"compute": "bf16"},
        {"algorithm": "magic", "precision": "int4"},
        {"group_size": 8},
        {"calibration_rows": 0},
        {"max_perplexity_ratio": 1.0},
    ],
)
def test_values_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match=r"runtime\.\w+ must be"):
        OpenVino(**settings)


def test_an_algorithm_for_four_bits_is_refused_at_eight():
    with pytest.raises(
        ValueError, match=r"runtime.algorithm=gptq goes with runtime.precision=int4, got int8"
    ):
        OpenVino(algorithm="gptq")


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("PTX_TEST_OPENVINO"),
    reason="PTX_TEST_OPENVINO does not name a Python with optimum-intel",
)
@pytest.mark.parametrize(
    ("settings", "most"),
    [
        ({"precision": "fp32"}, 1e-6),
        ({"precision": "int8"}, 0.05),
        ({"precision": "int4", "symmetric": True}, 1.0),
        ({"precision": "int4", "algorithm": "gptq", "calibration_rows": 4}, 1.0),
        ({"precision": "int4", "algorithm": "awq"}, 1.0),
        ({"precision": "int4", "algorithm": "scale_estimation", "calibration_rows": 4}, 1.0),
    ],
)
def test_the_real_export_is_the_model_as_far_as_its_bits_go(settings, most, tmp_path, make_run):
    rope = {"rope_type": "default", "rope_theta": 500.0}
    model = save_tiny_llama(
        tmp_path / "chat", TEMPLATE, hidden_size=64, num_attention_heads=4, rope_parameters=rope
    )
    config = OpenVino(**settings, python=os.environ["PTX_TEST_OPENVINO"], max_perplexity_ratio=1e6)
    run = make_run(RunConfig(runtime=config), [ptx_openvino]).at(record=tmp_path)
    made = run.host.first("ptx_export", run=run, runtime=config, model=ModelRef.of(model))
    logged = [event for event in read_rows(run.events) if event["event"] == "log"][-1]["metrics"]
    assert logged["kl"] < most
    if settings["precision"] == "fp32":
        expected = open_hf(HF(), ModelRef.of(model), "cpu").generate(PROMPTS, 12)
        assert ptx_load(config, made).generate(PROMPTS, 12) == expected
