import pytest

from ptx.testing import check_plugin
from ptx_hf import HF


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_hf")


@pytest.mark.parametrize(
    "settings", [{"dtype": "int3"}, {"batch_size": 0}, {"batch_size": "all"}, {"batch_size": 1.5}]
)
def test_a_setting_that_cannot_be_is_refused(settings):
    with pytest.raises(
        ValueError, match=r"runtime\.(dtype must be one of auto|batch_size must be auto or a number)"
    ):
        HF(**settings)
