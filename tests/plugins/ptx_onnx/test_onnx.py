import pytest

from ptx.testing import check_plugin
from ptx_onnx import Onnx


def test_the_plugin_conforms():
    check_plugin("ptx_onnx")


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"precision": "int3"}, "runtime.precision must be one of auto, fp32, int8, int4"),
        ({"block_size": 48}, "runtime.block_size must be one of"),
        ({"precision": "int8", "head": "int4"}, "needs runtime.precision=int4"),
        ({"precision": "fp32", "mixed": True}, "runtime.mixed=true needs"),
        ({"algorithm": "default"}, "runtime.algorithm must be one of rtn, k_quant"),
        ({"max_perplexity_ratio": 1.0}, "must be more than 1"),
        ({"batch_size": 0}, "at least 1"),
        ({"tries": 0}, "at least 1"),
    ],
)
def test_values_that_make_no_sense_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        Onnx(**settings)
