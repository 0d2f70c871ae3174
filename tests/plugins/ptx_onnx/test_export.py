"""The export step with the real builder."""

import itertools
import json
import re

import pytest
import torch

import ptx_onnx.export
from ptx import ModelRef, StepError
from ptx.files import read_rows
from ptx.lm.load import load_model, load_tokenizer, save_adapter
from ptx.models.package import read_package
from ptx_onnx import Onnx
from ptx_onnx.model import OnnxLanguageModel

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm")]
EXACT = {
    "accuracy_level": 1,
    "head": "fp32",
}  # float32 arithmetic, and an output layer as the checkpoint has it


def logged(run):
    return [event for event in read_rows(run.events) if event["event"] == "log"][-1]["metrics"]


def test_the_integers_of_a_packed_checkpoint_survive_to_the_last_digit(export, packed_model):
    """3 bits, asymmetric, groups of 16: served in 4-bit fields, with the checkpoint's own grid."""
    run, package = export(Onnx(**EXACT), packed_model)
    described = read_package(package.path)
    assert (described["way"], described["requantised"]) == ("packed", False)
    kl = {name: metrics[0]["value"] for name, metrics in described["fidelity"].items()}
    assert list(kl) == ["packed"]  # which is as near as can be: nothing else is built
    assert kl["packed"] < 1e-9
    assert any("packed: " in line and "KL to the model" in line for line in run.console.lines)
    with torch.no_grad():
        expected = load_model(packed_model)(input_ids=torch.tensor([[1, 50, 60, 70]])).logits[0]
    (found,) = OnnxLanguageModel(package.path).logits([[1, 50, 60, 70]])
    torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-4, rtol=1e-4)


def test_a_checkpoint_that_has_to_be_rounded_again_is_recorded_as_such(export, packed_model):
    run, package = export(Onnx(precision="int8", weights="dense"), packed_model)
    assert read_package(package.path)["requantised"] is True
    assert [event["requantised"] for event in read_rows(run.events) if event["event"] == "export"] == [True]
    assert 0 < logged(run)["kl"] < 1e-2
    assert any("unpacking the checkpoint first" in line for line in run.console.lines)


def test_a_float32_package_is_the_model_its_adapter_merged(export, chat_model, tmp_path):
    from peft import LoraConfig, get_peft_model

    network = get_peft_model(
        load_model(chat_model), LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    )
    save_adapter(network, load_tokenizer(chat_model), tmp_path / "adapter", ModelRef.of(chat_model))
    run, package = export(Onnx(precision="fp32"), tmp_path / "adapter")
    with torch.no_grad():
        expected = network.eval()(input_ids=torch.tensor([[1, 50, 60, 70]])).logits[0]
    (found,) = OnnxLanguageModel(package.path).logits([[1, 50, 60, 70]])
    torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-4, rtol=1e-4)
    assert any("merging the adapter" in line for line in run.console.lines)
    assert package.kind == "package"
    assert logged(run)["kl"] < 1e-9
    assert logged(run)["flips"] == 0
    described = read_package(package.path)
    assert (described["runtime"], described["source"], described["way"]) == (
        "onnx",
        ModelRef.of(tmp_path / "adapter").digest,
        "dense",
    )
    assert {
        "genai_config.json",
        "model.onnx",
        "model.onnx.data",
        "tokenizer.json",
        "chat_template.jinja",
    } <= {f.name for f in package.path.iterdir()}
    assert not list(run.checkpoints.iterdir())


def test_a_package_that_is_not_the_model_fails_the_step_with_the_figures(
    export, chat_model, fp32_package, tmp_path, monkeypatch
):
    """The builder's word is not taken: here it has converted the model of another day."""
    import shutil

    other = tmp_path / "other"
    shutil.copytree(fp32_package, other)
    data = bytearray((other / "model.onnx.data").read_bytes())
    data[64:4096] = bytes(4032)  # some weights are lost
    (other / "model.onnx.data").write_bytes(data)
    monkeypatch.setattr(
        ptx_onnx.export, "build", lambda config, source, out, *rest: shutil.copytree(other, out)
    )
    with pytest.raises(
        StepError,
        match=r"the fp32 package is not the model: KL [\d.e+-]+ nats per token, [\d.]+% of \d+ tokens flip",
    ):
        export(Onnx(precision="fp32"), chat_model)
    with pytest.raises(StepError, match=r"the unrounded package is not the model: KL [\d.e+-]+ nats"):
        export(Onnx(), chat_model, "again")


def test_rounding_that_costs_too_much_is_tried_in_further_ways_and_the_smallest_that_passes_is_kept(
    export, chat_model
):
    """On this model 4 bits cost about 0.03 nats; one per cent of perplexity are 0.01."""
    run, package = export(Onnx(max_perplexity_ratio=1.01), chat_model)
    tries = read_package(package.path)["tries"]
    assert tries[0]["way"] == "dense"
    assert len(tries) > 1
    assert tries[-1]["kl"] < 0.01 < tries[-2]["kl"]
    assert all(one["bytes"] < other["bytes"] for one, other in itertools.pairwise(tries))
    assert logged(run)["kl"] == tries[-1]["kl"]
    assert not list(run.folder.glob("built-*"))
    assert not list(run.folder.glob("graph-*"))


def test_mixtures_with_the_same_prediction_lie_in_folders_of_their_own(export, chat_model, monkeypatch):
    def plans(self):
        yield from (all_formats(self.menu, place) for place in (0, -1))

    def all_formats(menu, place):
        return {name: prices[place].format for name, prices in menu.items()}

    monkeypatch.setattr("ptx_onnx.export.predicted", lambda menu, plan: 0.1)
    monkeypatch.setattr("ptx_onnx.export.Search.plans", plans)
    with pytest.raises(StepError) as found:
        export(Onnx(max_perplexity_ratio=1.0000001, tries=3), chat_model)
    assert set(re.findall(r"^  (mixed \d)", str(found.value), re.MULTILINE)) == {"mixed 1", "mixed 2"}


def test_with_one_try_the_package_is_as_asked_or_the_step_fails(export, chat_model):
    with pytest.raises(StepError, match=r"times the model's perplexity .*allowed are 1\.0001"):
        export(Onnx(max_perplexity_ratio=1.0001, tries=1), chat_model)


def test_packed_weights_that_cannot_be_taken_over_are_refused_when_asked_for(
    export, chat_model, packed_model, tmp_path
):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(packed_model, folder)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"]["config_groups"]["group_0"]["weights"]["num_bits"] = 8
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        StepError, match=r"cannot keep the checkpoint's integers: its 8 bits do not fit into int4"
    ):
        export(Onnx(weights="packed"), folder)


def test_auto_serves_each_model_as_it_is_stored(export, packed_model, chat_model):
    """3 bits in 4-bit fields, dense weights in float32: one setting for a sweep over compressors."""
    for model, precision, way in ((packed_model, "int4", "packed"), (chat_model, "fp32", "dense")):
        _, package = export(Onnx(precision="auto"), model, name=precision)
        described = read_package(package.path)
        assert (described["precision"], described["way"]) == (precision, way)
        assert list(described["fidelity"]) == [way]  # and no other was built
