"""Fixtures of the plugins' tests that the tests of ptx.lm use too."""

from tests.plugins.conftest import chat_model, losses_of, make_data, make_run, plain_model, train

__all__ = ["chat_model", "losses_of", "make_data", "make_run", "plain_model", "train"]
