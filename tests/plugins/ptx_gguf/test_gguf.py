import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType

import ptx_gguf
from ptx.testing import check_plugin
from ptx_gguf import Gguf


def test_the_plugin_conforms():
    check_plugin("ptx_gguf")


@pytest.mark.parametrize("kind", ptx_gguf.TYPES)
def test_every_type_offered_is_one_that_the_package_writes(kind):
    values = np.random.default_rng(0).normal(size=(2, 64)).astype(np.float32)
    wanted = GGMLQuantizationType[kind.upper()]
    back = gguf.dequantize(gguf.quantize(values, wanted), wanted)
    assert np.abs(back - values).max() < 0.5


@pytest.mark.parametrize(
    "settings", [{"type": "q4_k"}, {"max_perplexity_ratio": 0.5}, {"context": 4}, {"slots": 0}]
)
def test_values_that_make_no_sense_are_refused(settings):
    with pytest.raises(
        ValueError,
        match=r"runtime\.(type must be one of|max_perplexity_ratio must be|context must be|slots must be)",
    ):
        Gguf(**settings)
