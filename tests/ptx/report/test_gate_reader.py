"""A gate's YAML: what it may say, and every problem at once."""

from __future__ import annotations

import pytest

from ptx.errors import ConfigError
from ptx.report.gate_reader import load_gate, make_gate


def test_a_ratio_to_the_baseline_is_a_bound(toy_host):
    gate = make_gate("g", {"size": {"metric": "size/bytes_on_disk", "versus": "ratio", "at_most": 0.9}})
    assert str(gate.constraints["size"]) == "size/bytes_on_disk over baseline at most 0.9"
    assert load_gate(toy_host, "compressed").constraints["size"].versus == "ratio"


def test_what_versus_can_be_is_said():
    with pytest.raises(ConfigError, match="it can be baseline or ratio"):
        make_gate("g", {"size": {"metric": "m", "versus": "base", "at_most": 1}})


def test_all_problems_come_at_once():
    with pytest.raises(ConfigError) as caught:
        make_gate("g", {"a": {"metric": "m"}, "b": {"at_most": "x"}, "c": 3})
    assert len(caught.value.problems) >= 4


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"metric": ["m"]}, "names no metric"), ({"at_most": 10**400}, "at_most must be a number, got 1000")],
)
def test_values_of_another_type_are_named(wrong, said):
    with pytest.raises(ConfigError, match=said):
        make_gate("g", {"a": {"metric": "m", "at_most": 1, **wrong}})
