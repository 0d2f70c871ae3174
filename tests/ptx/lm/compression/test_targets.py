import pytest

from ptx.lm.compression import targets
from ptx.lm.compression.targets import check_patterns, linear_layers, quantised_problems, skip_problems
from tests.architectures import build
from tests.plugins.conftest import save_tiny_llama


def test_the_layers_are_read_from_the_files_and_a_pattern_that_matches_none_is_a_problem(tmp_path):
    model = save_tiny_llama(tmp_path / "model", None)
    layers = linear_layers(model)
    assert layers["model.layers.0.mlp.down_proj"] == (32, 64)
    assert not any("embed" in name for name in layers)
    (problem,) = skip_problems(["down_proj", "lm_head", "down_prof"], "compress.rtn.skip", model)
    assert str(problem).startswith(
        f"compress.rtn.skip: 'down_prof' matches no linear layer of {model}; did you mean 'down_proj'?"
    )
    assert skip_problems(["anything"], "compress.rtn.skip", tmp_path) == []


def test_packed_weights_cannot_be_compressed_again(tmp_path):
    assert quantised_problems(["wanda", "gptq"], tmp_path) == []
    (tmp_path / "config.json").write_text("{}")
    assert quantised_problems(["wanda"], tmp_path) == []
    (tmp_path / "config.json").write_text('{"quantization_config": {}}')
    (problem,) = quantised_problems(["wanda", "gptq"], tmp_path)
    assert str(problem).startswith(f"compress=[wanda,gptq]: {tmp_path} is quantised already; ")
    assert quantised_problems([], tmp_path) == []


def test_what_is_no_regular_expression_is_refused():
    check_patterns("compress.rtn.skip", ["down_proj", r"layers\.\d+"])
    with pytest.raises(
        ValueError, match=r"^compress\.rtn\.skip: '\[' is no regular expression \(.+\); try 'down_proj'$"
    ):
        check_patterns("compress.rtn.skip", ["down_proj", "["])


def test_a_step_for_linear_layers_says_before_the_run_what_it_would_leave_out(tmp_path):
    mixtral, gpt2 = build("mixtral", tmp_path / "mixtral"), build("gpt2", tmp_path / "gpt2")
    (problem,) = targets.linear_problems("compress=[quanto]", [], mixtral)
    assert "6 weight matrices of mixtral are of the kind MixtralExperts" in str(problem)
    assert "use compress=[gptq] or compress=[rtn]" in str(problem)
    assert targets.linear_problems("compress=[quanto]", ["experts"], mixtral) == []
    (problem,) = targets.linear_problems("compress=[quanto]", [], build("gpt_oss", tmp_path / "gpt_oss"))
    assert str(problem).endswith("prune it instead: compress=[magnitude]")  # its experts cannot be packed
    (problem,) = targets.linear_problems("qat=rtn", [], gpt2)
    assert "12 weight matrices of gpt2 are of the kind Conv1D" in str(problem)
    assert "prune it instead: compress=[magnitude]" in str(problem)


def test_nothing_is_left_out_of_a_plain_decoder_and_nothing_is_built_to_see_that(tiny, monkeypatch):
    monkeypatch.setattr(targets, "described", None)
    assert targets.linear_problems("compress=[quanto]", [], tiny) == []
    assert targets.instead(tiny) == "quantise it instead: compress=[gptq]"
