import json
from pathlib import Path

import pytest

import ptx_structured_pruning
import ptx_tiny
from ptx import RunConfig
from ptx.testing import check_plugin
from ptx_structured_pruning import Depth, Width, ptx_validate

TINY = Path(ptx_tiny.__file__).parent / "model"


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_structured_pruning")


def test_a_calibration_that_cannot_be_is_refused_before_anything_is_loaded():
    config = RunConfig(compress={"depth": Depth(mix={"mesages": 1})})
    (problem,) = ptx_structured_pruning.ptx_validate(config, TINY, None)
    assert "compress.depth.mix: no shape 'mesages'" in str(problem)


def test_problems_are_found_from_the_headers(plain_model, tmp_path):
    assert (
        ptx_validate(
            RunConfig(compress={"depth": Depth(layers=1), "width": Width(ffn=0.5)}), plain_model, None
        )
        == []
    )
    assert "removes 2 of 2" in str(
        ptx_validate(RunConfig(compress={"depth": Depth(layers=2)}), plain_model, None)[0]
    )
    assert (
        ptx_validate(RunConfig(compress={"depth": Depth(layers=2)}), tmp_path, None) == []
    )  # no model: the core says so
    assert ptx_validate(RunConfig(), plain_model, None) == []
    for file in plain_model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "quantization_config": {}}))
    assert "cut first, quantise last" in str(
        ptx_validate(RunConfig(compress={"depth": Depth(layers=1)}), tmp_path, None)[0]
    )


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        (
            Depth,
            {"layers": 1.5},
            "compress.depth.layers must be a share between 0 and 1 or a whole number, got 1.5",
        ),
        (Depth, {"layers": 0}, "try compress.depth.layers=0.25"),
        (Depth, {"importance": "cosine"}, "must be one of influence, angular, taylor, loss"),
        (Depth, {"samples": 0}, "must be at least 1"),
        (Width, {"ffn": 1}, "compress.width removes nothing as it is set"),
        (Width, {"ffn": 1.5}, "compress.width.ffn must be a share up to 1 or a whole number above it"),
        (Width, {"ffn": 0.5, "over_rows": "sum"}, "must be one of l2, mean"),
        (Width, {"ffn": 0.5, "multiple": 0}, "must be at least 1"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_the_fix(kind, settings, said):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the text is what is tested)
        kind(**settings)
    assert said in str(refused.value)
