"""The plugin itself: its settings and the names of its losses."""

import pytest

import ptx_kto
from ptx.testing import check_plugin
from ptx_kto import KTO


def test_one_example_per_forward_pass_is_refused():
    with pytest.raises(
        ValueError, match=r"two examples per forward pass .*, got 1; try method.micro_batch=2"
    ):
        KTO(micro_batch=1)
    assert KTO(micro_batch=1, loss="apo_zero_unpaired").shares() == (1, 16)


def test_the_names_of_losses_are_those_that_trl_names():
    from trl import KTOConfig

    assert list(ptx_kto.LOSSES) == KTOConfig.__dataclass_fields__["loss_type"].metadata["choices"]


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_kto")
