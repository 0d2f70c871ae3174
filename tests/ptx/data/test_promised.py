"""Data that a step will make: known by its shapes and by the key of the step."""

from __future__ import annotations

import pytest

from ptx.data import Promised
from ptx.errors import ConfigError


def test_what_follows_from_its_shapes_is_promised_too():
    promised = Promised("best", ("messages",), "abc")
    assert promised.require(["pairs", "prompts"], "grpo") == "prompts"
    assert promised.ingredient("prompts") == {"shape": "prompts", "step": "abc"}
    assert "thumbs" in Promised("pairs", ("pairs",)).shapes


def test_a_step_that_needs_something_else_is_refused():
    with pytest.raises(ConfigError, match=r"method=dpo needs pairs .* the step best makes messages"):
        Promised("best", ("messages",)).require(["pairs"], "method=dpo")
