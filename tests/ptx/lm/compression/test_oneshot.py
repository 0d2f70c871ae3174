import warnings

import pytest
import torch

from ptx import ModelRef
from ptx.files import read_rows
from ptx.lm.compression import oneshot
from ptx.lm.compression.calibration import Calibrated
from ptx.lm.load import load_model


class Rows:
    name = "rows"

    def rows(self, _shape):
        return [{"text": "a few words " * 4} for _ in range(3)]


def test_progress_counts_the_two_passes_over_every_layer(run):
    report = oneshot.layer_progress(run)
    report("(1/2): Calibrating", 1, 4)
    report("Preparing cache", 4, 4)
    report("(2/2): Propagating", 4, 4)
    assert [(line["step"], line["total"], line["layers_done"]) for line in run.console.progressed] == [
        (16, 16, 1)
    ]


def test_the_calibration_rows_are_recorded_with_their_digest(run, tokenizer):
    batches = oneshot.recorded_batches(run, Rows(), tokenizer, Calibrated(samples=2, max_length=5))
    assert [batch["input_ids"].shape for batch in batches] == [(1, 5)] * 2
    (event,) = (event for event in read_rows(run.events) if event["event"] == "calibration")
    assert (event["rows"], event["tokens"], event["parts"]) == (2, 10, {"rows": 2})
    assert len(event["digest"]) >= 32
    assert run.console.lines == ["calibrating on 2 rows, 10 tokens, 2 cut to 5 tokens"]


def test_a_compressor_that_needs_no_data_gets_no_rows(run, tokenizer):
    class DataFree(Calibrated):
        needs = ()

    assert oneshot.recorded_batches(run, None, tokenizer, DataFree()) == []


def test_an_edit_changes_the_targeted_layers_logs_the_check_and_saves(run, tiny):
    def halve(_network, layers):
        with torch.no_grad():
            for layer in layers.values():
                layer.weight.mul_(0.5)

    def ratio(before, layers):
        name = next(iter(layers))
        return {"ratio": float(layers[name].weight.detach().norm() / before[name].norm())}

    made = oneshot.edit(run, ModelRef.of(tiny), ["mlp"], halve, ratio)
    assert made.path == run.folder / "model"
    assert run.console.progressed[-1]["ratio"] == pytest.approx(0.5)
    old, new = load_model(tiny).model.layers[0], load_model(made.path).model.layers[0]
    assert torch.equal(new.self_attn.q_proj.weight, old.self_attn.q_proj.weight * 0.5)
    assert torch.equal(new.mlp.up_proj.weight, old.mlp.up_proj.weight)


def test_of_the_librarys_warnings_only_the_one_about_the_result_is_passed_on(run, capsys):
    from loguru import logger

    with oneshot.session(run), warnings.catch_warnings():
        warnings.simplefilter("error")
        logger.warning("Hessian inversion failed for 1/7 modules")
        logger.warning("a remark on its own settings")
    assert run.console.lines == ["Hessian inversion failed for 1/7 modules"]
    assert capsys.readouterr().err == ""
