"""The configuration of a run."""

import pytest

from ptx import Compressor, Method
from ptx.config import GROUPS, IN_METHOD, RunConfig


def test_there_is_a_field_for_every_group():
    assert set(GROUPS) - set(IN_METHOD) <= set(vars(RunConfig()))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"device": "gpu"}, "device must be auto, cpu or cuda, got 'gpu'; try device=auto"),
        ({"threads": -1}, "threads must not be negative, got -1; try threads=1"),
        ({"workers": -2}, "workers must not be negative, got -2; try workers=1"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_to_try(setting, message):
    with pytest.raises(ValueError, match=message):
        RunConfig(**setting)


def test_the_steps_are_the_method_and_then_the_compressors():
    method, first, second = Method(), Compressor(), Compressor()
    config = RunConfig(method=method, compress={"first": first, "second": second})
    assert list(config.chain().items()) == [("method", method), ("first", first), ("second", second)]
    assert RunConfig().chain() == {}


def test_the_steps_of_a_recipe_take_the_place_of_both():
    config = RunConfig(recipe={"steps": {"tune": Method()}, "data": {}}, compress={"x": Compressor()})
    assert list(config.chain()) == ["tune"]
