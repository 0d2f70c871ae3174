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


def test_experts_that_cannot_become_linear_layers_are_said_before_the_run(tmp_path):
    from tests.architectures import build

    dbrx, data = build("dbrx", tmp_path / "dbrx"), None
    said = [str(one) for one in ptx_validate(RunConfig(compress={"wanda": Wanda()}), dbrx, data)]
    assert any("on dbrx" in one and "DbrxExpertGLU" in one and "[magnitude]" in one for one in said), said
    assert ptx_validate(RunConfig(compress={"magnitude": Magnitude()}), dbrx, data) == []


@pytest.mark.parametrize(("name", "inputs"), [("llama_odd", 176), ("gpt2", 64)])
def test_a_pattern_that_does_not_divide_the_inputs_of_a_layer_is_said_before_the_run(tmp_path, name, inputs):
    from tests.architectures import build

    model = build(name, tmp_path / name)
    step = Magnitude(pattern="3:6", sparsity=0.5)
    (problem,) = ptx_validate(RunConfig(compress={"magnitude": step}), model, None)
    assert f"({inputs})" in str(problem)
    assert "leave out compress.magnitude.pattern" in str(problem)
    step = Magnitude(pattern="2:4", sparsity=0.5)
    assert ptx_validate(RunConfig(compress={"magnitude": step}), model, None) == []


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


def test_a_part_of_a_stack_of_experts_can_be_left_out_and_its_projections_can_differ(prune, tmp_path):
    from ptx.lm.load import load_model
    from ptx.lm.matrices import EXPERTS, changeable
    from tests.architectures import build

    source = build("mixtral", tmp_path / "mixtral")
    config = Magnitude(skip=["w1", r"experts\.2\."], layers={r"\d\.up_proj": 0.25})
    _, made = prune(config, source)
    for one in changeable(load_model(made.path)).values():
        view = one.view
        for piece in one.pieces if one.role == EXPERTS else ():
            zeros = float((piece.of(view) == 0).float().mean())
            shares = {"gate_proj": 0.0, "up_proj": 0.25, "down_proj": 0.5}
            wanted = 0.0 if piece.expert == 2 else shares[piece.names[0].rpartition(".")[2]]
            assert zeros == pytest.approx(wanted, abs=0.01), piece.names[0]


def test_patterns_that_find_nothing_are_said_before_the_run(tmp_path):
    from tests.architectures import build

    step = Wanda(skip=["nonsense"], layers={"gate_porj": 0.3})
    config = RunConfig(compress={"wanda": step})
    found = [str(one) for one in ptx_validate(config, build("mixtral", tmp_path / "mixtral"), None)]
    assert any("compress.wanda.skip: 'nonsense' matches no" in one for one in found), found
    assert any("compress.wanda.layers: 'gate_porj'" in one and "'gate_proj'" in one for one in found), found
