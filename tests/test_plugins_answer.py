"""Every choice can be carried out: the function that it names can be imported and called."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from ptx import Choice, Compressor, Evaluator, Maker, Method, Scorer
from ptx.hooks import hookspecs
from ptx.hooks.host import get_host

#: type of configuration -> the hook that answers for it by calling the function
HOOKS = {
    Maker: hookspecs.ptx_make,
    Method: hookspecs.ptx_train,
    Compressor: hookspecs.ptx_compress,
    Evaluator: hookspecs.ptx_evaluate,
    Scorer: hookspecs.ptx_score,
}
NAMED = sorted(
    (choice for choice in get_host().choices.values() if choice.calls),
    key=lambda choice: (choice.group, choice.name),
)


@pytest.mark.parametrize("choice", NAMED, ids=lambda choice: f"{choice.group}={choice.name}")
def test_the_function_that_a_choice_names_takes_the_arguments_of_its_hook(choice: Choice):
    module, _, name = choice.calls.partition(":")
    function = getattr(import_module(module), name)
    assert callable(function)
    spec = next(spec for kind, spec in HOOKS.items() if issubclass(choice.config_type, kind))
    given = set(inspect.signature(spec).parameters)
    needed = {
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty
    }
    assert needed <= given, f"{choice.calls} takes {needed - given}, which its hook does not give"


def test_some_choices_name_their_functions():
    assert {"sft", "dpo", "kto", "grpo", "mix", "distill"} <= {choice.name for choice in NAMED}
