import json
from pathlib import Path

import pytest

import ptx_tiny
from ptx import RunConfig
from ptx.testing import check_plugin
from ptx_prune import Magnitude, SparseGPT, Wanda, ptx_validate

TINY = Path(ptx_tiny.__file__).parent / "model"


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_prune")


def test_a_calibration_that_cannot_be_is_refused_before_anything_is_loaded():
    (problem,) = ptx_validate(RunConfig(compress={"wanda": Wanda(mix={"mesages": 1})}), TINY, None)
    assert "compress.wanda.mix: no shape 'mesages'" in str(problem)


def test_pruning_a_quantised_model_is_a_problem(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": {}}))
    config = RunConfig(compress={"sparsegpt": SparseGPT()})
    assert "quantised already" in str(ptx_validate(config, tmp_path, None)[0])
    assert ptx_validate(config, TINY, None) == []
    assert ptx_validate(RunConfig(), tmp_path, None) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"scope": "row"}, "compress.magnitude.scope must be layer or global"),
        ({"scope": "global", "pattern": "2:4"}, "try compress.magnitude.scope=layer"),
        ({"scope": "global", "layers": {"down": 0.2}}, "try compress.magnitude.scope=layer"),
    ],
)
def test_a_scope_that_cannot_be_is_refused_with_the_fix(settings, said):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the text is what is tested)
        Magnitude(**settings)
    assert said in str(refused.value)
