import ptx_quant
from ptx.testing import check_plugin


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_quant")
    check_plugin("ptx_checks")
    assert set(ptx_quant.CHOICES) == {"rtn", "gptq", "awq", "smoothquant", "spinquant", "autoround", "mixed"}
