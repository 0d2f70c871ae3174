"""The contributions of the built-in plugins: choices and verbs."""

import importlib
import inspect

import pytest

from ptx import Choice, Command, Method
from ptx.hooks import hookspecs
from ptx.hooks.host import get_host


def choices():
    return sorted(get_host().choices.values(), key=lambda choice: (choice.group, choice.name))


def test_a_choice_needs_a_group_a_name_and_a_type():
    choice = Choice("method", "mine", Method)
    assert (choice.version, choice.libraries, choice.calls, choice.formerly) == ("1", (), "", ())
    assert choice == Choice("method", "mine", Method)


def test_a_command_is_a_name_with_a_function():
    assert Command("greet", "says hello", len).main(["a", "b"]) == 2


def test_no_former_name_of_a_choice_is_the_name_of_another():
    present = {(choice.group, choice.name) for choice in choices()}
    former = [(choice.group, name) for choice in choices() for name in choice.formerly]
    assert not present & set(former)
    assert len(former) == len(set(former))


def test_suggestions_are_for_choices_that_exist():
    present = {f"{choice.group}={choice.name}" for choice in choices()}
    named = {word for choice in choices() for key in choice.suggests for word in key.split()}
    assert named <= present


def test_the_data_of_a_model_exists():
    names = get_host().names("data")
    assert [choice.data for choice in choices() if choice.data and choice.data not in names] == []


@pytest.mark.slow
def test_every_function_that_a_choice_names_exists_and_declares_arguments_of_its_hook():
    hooks = {
        "method": "ptx_train",
        "compress": "ptx_compress",
        "eval": "ptx_evaluate",
        "scorer": "ptx_score",
        "make": "ptx_make",
    }
    named = [choice for choice in choices() if choice.calls]
    for choice in named:
        module, _, name = choice.calls.partition(":")
        accepted = inspect.signature(getattr(importlib.import_module(module), name)).parameters
        trains = issubclass(choice.config_type, Method)
        spec = getattr(hookspecs, "ptx_train" if trains else hooks[choice.group])
        assert set(accepted) <= set(inspect.signature(spec).parameters), choice.calls
    assert named
