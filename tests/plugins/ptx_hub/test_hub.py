"""The plugin itself: its choices, and the values that it resolves."""

import pytest

from ptx import ConfigError
from ptx.testing import check_plugin
from ptx_hub import HubData, HubModel, ptx_choices, ptx_resolve


def test_models_and_data_are_a_choice_each():
    found = {(choice.group, choice.name): choice.config_type for choice in ptx_choices()}
    assert found == {("model", "hub"): HubModel, ("data", "hub"): HubData}


@pytest.mark.parametrize("value", [HubModel(id="a/b/c"), HubData(id="a/b/c")], ids=["model", "data"])
def test_models_and_data_without_a_valid_id_are_refused(value, tmp_path):
    with pytest.raises(ConfigError, match="a/b/c"):
        ptx_resolve(value, tmp_path)


def test_other_choices_are_left_to_others(tmp_path):
    assert ptx_resolve(object(), tmp_path) is None


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_hub")
