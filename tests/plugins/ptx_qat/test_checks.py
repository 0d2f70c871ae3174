"""Problems that are found before the model is loaded: the grid of later steps, adapters, other loops."""

import ptx_qat
from ptx import Lora, Method, RunConfig
from ptx_qat import RoundToNearest
from ptx_quant import AWQ, GPTQ, RTN, SmoothQuant, SpinQuant
from ptx_sft import SFT


def problems_of(config, model):
    return [f"{problem.what}; {problem.fix}" for problem in ptx_qat.ptx_validate(config, model)]


def test_what_follows_must_round_to_the_same_grid(chat_model):
    def after(step, **through):
        return problems_of(
            RunConfig(method=SFT(qat=RoundToNearest(**through)), compress={"rtn": step}), chat_model
        )

    assert after(RTN()) == []
    assert after(RTN(bits=3, group_size=32), bits=3, group_size=32) == []
    assert after(RTN(scheme="w4a16")) == []
    (problem,) = after(RTN(), bits=3, group_size=32)
    assert problem == (
        "qat=rtn trains for bits=3, group_size=32, and rtn rounds to bits=4, group_size=128; type"
        " compress.rtn.bits=3 compress.rtn.group_size=32"
    )
    assert after(RTN(scheme="w8a16")) == [
        "qat=rtn trains for bits=4, and rtn rounds to bits=8; type compress.rtn.bits=4"
    ]
    (problem,) = after(RTN(symmetric=False))
    assert problem == (
        "qat=rtn trains for symmetric=True, and rtn rounds to symmetric=False; type"
        " compress.rtn.symmetric=true"
    )
    assert after(RTN(observer="mse"))[0].startswith(
        "qat=rtn trains for the range of the weights, and compress.rtn.observer=mse uses another"
    )


def test_what_changes_the_weights_coordinates_before_it_rounds_cannot_follow(chat_model):
    for name, step in {
        "awq": AWQ(),
        "smoothquant": SmoothQuant(scheme="w4a16"),
        "spinquant": SpinQuant(),
    }.items():
        config = RunConfig(method=SFT(qat=RoundToNearest()), compress={name: step})
        (problem,) = problems_of(config, chat_model)
        assert problem == (
            f"qat=rtn trains the weights for rounding without any change before it, and {name} scales or"
            " rotates them first; round them with compress=[rtn]"
        )
    assert (
        problems_of(RunConfig(method=SFT(qat=RoundToNearest()), compress={"gptq": GPTQ()}), chat_model) == []
    )


def test_adapters_loops_of_other_kinds_and_layers_that_are_not_there_are_refused(chat_model):
    class Other(Method):
        pass

    assert problems_of(RunConfig(method=SFT(qat=RoundToNearest(), lora=Lora())), chat_model)[0].startswith(
        "qat=rtn trains the weights that will be rounded"
    )
    assert problems_of(RunConfig(method=Other(qat=RoundToNearest())), chat_model)[0].startswith(
        "qat=rtn wraps the loop of a TRL trainer, and Other"
    )
    assert (
        "matches no linear layer"
        in problems_of(RunConfig(method=SFT(qat=RoundToNearest(skip=["dwn_proj"]))), chat_model)[0]
    )
    assert problems_of(RunConfig(method=SFT()), chat_model) == []
