import pytest

from ptx import RunConfig
from ptx.testing import check_plugin
from ptx_quanto import Quanto, ptx_validate


def test_what_cannot_work_is_said_before_a_weight_is_loaded(squeeze, plain_model):
    said = lambda **steps: [
        str(problem) for problem in ptx_validate(RunConfig(compress=steps), plain_model, None)
    ]
    assert said(quanto=Quanto()) == []
    assert "did you mean 'down_proj'?" in said(quanto=Quanto(skip=["dwon_proj"]))[0]
    assert "make quanto the last step" in said(quanto=Quanto(), other=Quanto())[0]
    _, ref = squeeze(Quanto())
    assert "is quantised already" in str(
        ptx_validate(RunConfig(compress={"quanto": Quanto()}), ref.path, None)[0]
    )


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"weights": "int3"}, "compress.quanto.weights must be one of int8, int4, int2, float8, got 'int3'"),
        ({"activations": "int4"}, "compress.quanto.activations must be one of int8, float8, got 'int4'"),
        ({"optimizer": "hqq"}, "compress.quanto.optimizer is for int4 and int2"),
        ({"skip": ["["]}, "'[' is no regular expression"),
        ({"samples": 0}, "compress.quanto.samples must be at least 1"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_the_fix(settings, told):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the text is what is tested)
        Quanto(**settings)
    assert told in str(refused.value)


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_quanto")
    assert Quanto().needs == ()
    assert Quanto(activations="int8").needs == ("calibration",)
