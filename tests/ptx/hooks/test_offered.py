"""What a plugin offers: hooks that exist and are marked, choices that a configuration can hold."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

import pytest

from ptx import Choice, Compressor, Evaluator, Maker, Method, Tracker, hookimpl, setting
from ptx.hooks.host import load_host
from ptx.hooks.offered import held_types, is_held, must_be_usable, must_fit


class Plain(Method):
    rate: float = setting(0.1, "how fast")


def train(run):
    return None


def marked(**options):
    return hookimpl(**options)(lambda run: None)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"ptx_trian": marked()}, "ptx_trian is no hook; did you mean 'ptx_train'?"),
        ({"ptx_train": train}, "ptx_train is not marked, so it would never be called; write @ptx.hookimpl"),
        ({"ptx_trian": train}, "ptx_trian is not marked"),
    ],
)
def test_a_hook_that_would_never_be_called_is_refused_with_its_name(module_named, members, said):
    with pytest.raises(TypeError, match=said.replace("?", r"\?")):
        must_fit(module_named("mine", **members))


def test_helpers_and_hooks_by_another_name_are_fine(module_named):
    must_fit(module_named("mine", ptx_version=train, call=marked(specname="ptx_train"), helper=train))


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice("mehtod", "odd", Method), "names the unknown group 'mehtod'; did you mean 'method'"),
        (Choice("eval", "odd", Method), "Method must derive from ptx.Evaluator to be given as eval="),
        (Choice("eval", "odd", Evaluator()), "eval=odd gives Evaluator.*; give the class itself"),
        (
            Choice("method", "odd", Plain),
            "the fields of Plain are not read; write @dataclass above the class",
        ),
    ],
)
def test_a_choice_that_no_configuration_can_hold_is_refused(choice, said):
    with pytest.raises((TypeError, ValueError), match=said):
        must_be_usable([choice])


def test_a_class_that_only_takes_over_fields_needs_no_mark():
    @dataclass
    class Mine(Method):
        rate: float = setting(0.1, "how fast")

    class Other(Mine):
        """Another name for the same fields."""

    must_be_usable([Choice("method", "mine", Mine), Choice("method", "other", Other)])


def test_the_fields_of_every_built_in_choice_are_known_to_be_held_without_omegaconf(tmp_path):
    choices = load_host(tmp_path, {}).choices.values()
    asked = [
        f"{choice.group}={choice.name}.{one.name}: {one.type}"
        for choice in choices
        for one in fields(choice.config_type)
        if not is_held(one)
    ]
    assert asked == []


@pytest.mark.parametrize(
    ("annotation", "held"),
    [
        ("int | float | str | None", True),
        ("list[str] | None", True),
        ("dict[str, Any]", True),
        ("int | list[str]", False),
        ("list[Path]", False),
        ("Path", False),
        ("tuple[int, int]", False),
    ],
)
def test_omegaconf_is_asked_of_what_the_annotation_does_not_tell(annotation, held):
    assert bool(held_types(annotation)) is held


def makes(run, maker, data, **others):
    """What ``make=`` may call."""


@dataclass
class Both(Method, Compressor):
    """A compressor that trains."""


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (
            Choice("make", "odd", Maker, calls=lambda run, makre: 0),
            "asks for 'makre', which ptx_make does not give; did you mean 'maker'?",
        ),
        (
            Choice("compress", "odd", Both, calls=lambda run, compressor: 0),
            "asks for 'compressor', which ptx_train does not give",
        ),
        (Choice("make", "odd", Maker, calls="mine.make"), "has calls='mine.make'; give the function itself"),
        (Choice("make", "odd", Maker, calls=3), "has calls=3; give the function itself"),
        (
            Choice("tracker", "odd", Tracker, calls=makes),
            "has calls, which only method, compress, make, eval, scorer may have; write the hook",
        ),
    ],
)
def test_what_a_choice_cannot_call_is_refused_when_it_is_loaded(choice, said):
    with pytest.raises(TypeError, match=re.escape(said)):
        must_be_usable([choice])


def test_a_function_may_be_given_itself_or_by_its_name():
    must_be_usable([Choice("make", "a", Maker, calls=makes), Choice("make", "b", Maker, calls="mine:makes")])
    must_be_usable([Choice("compress", "c", Both, calls=lambda run, method, model, data: 0)])
