"""Fixtures that all tests of makers share."""

from tests.making import model, plain_run, prompts, scripted

__all__ = ["model", "plain_run", "prompts", "scripted"]
