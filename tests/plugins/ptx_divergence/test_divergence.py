import pytest

from ptx import RunConfig
from ptx.testing import check_plugin
from ptx_divergence import Divergence, ptx_validate


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_divergence")


def test_missing_texts_and_impossible_settings_are_refused_with_the_fix():
    (problem,) = ptx_validate(RunConfig(eval={"divergence": Divergence(["none.txt"])}))
    assert "no text none.txt" in problem.what
    with pytest.raises(ValueError, match=r"eval\.divergence\.likeliest must be at least 1"):
        Divergence(likeliest=0)
