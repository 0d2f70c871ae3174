import pytest

from ptx_quant import AWQ, GPTQ, RTN, SmoothQuant, SpinQuant


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: GPTQ(bits=9), "compress.gptq.bits must be 2 to 8, got 9"),
        (lambda: GPTQ(group_size=0), "compress.gptq.group_size must be -1 or at least 8, got 0"),
        (lambda: GPTQ(max_length=0), "compress.gptq.max_length must be at least 1"),
        (lambda: GPTQ(dampening=-1.0), "compress.gptq.dampening must be positive"),
        (lambda: GPTQ(skip=["["]), "'[' is no regular expression"),
        (lambda: RTN(scheme="w4a61"), "no scheme 'w4a61' for compress.rtn.scheme; did you mean 'w4a16'?"),
        (lambda: RTN(scheme="w8a8", bits=8), "compress.rtn.scheme=w8a8 decides bits and symmetric"),
        (
            lambda: RTN(observer="max"),
            "compress.rtn.observer must be one of minmax, mse, imatrix_mse, got 'max'",
        ),
        (lambda: AWQ(then="none"), "compress.awq.then=none is useless"),
        (lambda: SmoothQuant(strength=1.0), "strength must lie between 0 and 1"),
        (lambda: SpinQuant(rotations=["R3"]), "rotations must be R1 or R2, got 'R3'"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_the_fix(make, told):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the text is what is tested)
        make()
    assert told in str(refused.value)


def test_only_what_looks_at_data_asks_for_some():
    assert RTN().needs == SpinQuant().needs == ()
    assert (
        RTN(scheme="w8a8_static").needs
        == RTN(kv_cache="fp8").needs
        == SpinQuant(then="gptq").needs
        == GPTQ().needs
        == ("calibration",)
    )
