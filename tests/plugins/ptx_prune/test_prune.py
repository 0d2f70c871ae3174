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


def test_layers_that_the_model_never_calls_are_said_before_the_run(tmp_path):
    from ptx_prune import uncalled_problems
    from tests.architectures import build

    mamba = build("mamba", tmp_path / "mamba")
    (problem,) = uncalled_problems("wanda", [], mamba)
    assert "mamba reads the weight of dt_proj itself" in str(problem)
    assert "add compress.wanda.skip=[dt_proj]" in str(problem)
    assert uncalled_problems("wanda", ["dt_proj"], mamba) == []
    assert uncalled_problems("wanda", [], build("llama", tmp_path / "llama")) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mixtral", "qwen2_moe", "gpt2"])
@pytest.mark.parametrize("kind", [Magnitude, Wanda])
def test_half_of_a_model_is_half_of_its_experts_too(prune, tmp_path, name, kind):
    from ptx.lm.load import load_model
    from ptx.lm.matrices import inventory
    from tests.architectures import build

    _, made = prune(
        kind(**({} if kind is Magnitude else {"samples": 6, "max_length": 64})), build(name, tmp_path / name)
    )
    for one in inventory(load_model(made.path)).values():
        zeros = float((one.weight == 0).float().mean())
        assert zeros == pytest.approx(0.5 if one.role in ("layer", "experts") else 0.0, abs=0.02), one.name
