from ptx import RunConfig
from ptx_quant import GPTQ, RTN, AutoRound, Mixed, SmoothQuant, SpinQuant, ptx_validate

FAST = {"samples": 6, "max_length": 64}


def said(config, model, **chain):
    return [
        str(problem) for problem in ptx_validate(RunConfig(compress={"it": config, **chain}), model, None)
    ]


def test_what_cannot_work_is_said_before_a_weight_is_loaded(plain_model):
    assert (
        "compress.gptq.skip: 'dwon_proj' matches no linear layer"
        in said(GPTQ(skip=["dwon_proj"], **FAST), plain_model)[0]
    )
    assert "did you mean 'down_proj'?" in said(GPTQ(skip=["dwon_proj"], **FAST), plain_model)[0]
    assert said(GPTQ(), plain_model) == []
    assert "add compress.rtn.dtype=bfloat16" in said(RTN(scheme="nvfp4a16"), plain_model)[0]
    assert "compress=[autoround] needs a 16-bit base" in said(AutoRound(**FAST), plain_model)[0]
    assert said(RTN(scheme="nvfp4a16", dtype="bfloat16"), plain_model) == []


def test_quantisation_stands_last_and_once_and_a_mask_is_not_refilled(plain_model, tmp_path):
    from ptx import Compressor, Promise

    class Other(Compressor):
        needs = ()

        def promise(self):
            return Promise(sparsity=0.5)

    order = lambda **steps: [
        problem.fix for problem in ptx_validate(RunConfig(compress=steps), plain_model, None)
    ]
    assert order(gptq=GPTQ(**FAST), prune=Other()) == ["try compress=[prune,gptq]"]
    assert order(prune=Other(), gptq=GPTQ(**FAST)) == []
    assert order(smoothquant=SmoothQuant(then="none", **FAST), gptq=GPTQ(**FAST)) == []
    assert order(prune=Other(), spinquant=SpinQuant()) == [
        "quantise a pruned model with rtn, gptq, awq or smoothquant, which keep the zeros"
    ]
    heal = RunConfig(recipe={"steps": {"int4": RTN(), "heal": object()}}, compress={"int4": RTN()})
    assert [str(problem) for problem in ptx_validate(heal, plain_model, None)] == [
        "recipe: step heal cannot follow int4, whose weights are packed; make int4 the last step"
    ]


def test_a_budget_below_the_weights_alone_is_refused_before_anything_is_loaded(plain_model):
    config = RunConfig(compress={"mixed": Mixed(max_bytes=1000)})
    (problem,) = ptx_validate(config, plain_model, None)
    assert "compress.mixed.max_bytes=1000 cannot be met" in str(problem)
    assert ptx_validate(RunConfig(compress={"mixed": Mixed(size=0.9)}), plain_model, None) == []


def test_layers_that_autoround_leaves_out_are_said_before_the_run(tmp_path):
    from ptx_quant.checks import autoround_problems
    from tests.architectures import build

    (problem,) = autoround_problems(AutoRound(), build("llama_odd", tmp_path / "odd"))
    assert "21 of 21 layers" in str(problem)
    assert "use compress=[gptq]" in str(problem)
    assert autoround_problems(AutoRound(), build("llama", tmp_path / "llama")) == []
