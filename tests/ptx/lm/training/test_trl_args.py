"""method.args: each key is checked by name and type, and arguments that ptx sets are refused."""

import enum
from typing import Any, Literal

import pytest

from ptx.errors import Problem
from ptx.lm.training.method import TrlMethod
from ptx.lm.training.trl_args import OWNED, fits, problems, wanted


def found(args: dict, config: str = "SFTConfig", owned: dict | None = None) -> list[str]:
    return [str(problem) for problem in problems(TrlMethod(args=args), "sft", config, owned or {})]


def test_no_args_need_no_library(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "trl", None)
    assert found({}) == []


def test_arguments_of_trl_pass():
    assert (
        found(
            {
                "max_grad_norm": 0.5,
                "adam_beta2": 1,
                "optim": "adamw_torch",
                "lr_scheduler_kwargs": {"a": 1},
                "gradient_checkpointing": False,
            }
        )
        == []
    )


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (
            {"max_grad_nrm": 0.5},
            "no TRL argument 'max_grad_nrm' for method=sft; did you mean 'max_grad_norm'?",
        ),
        (
            {"learning_rat": 0.5},
            (
                "no TRL argument 'learning_rat' for method=sft; did you mean 'learning_rate'? Use"
                " method.learning_rate=... for that"
            ),
        ),
        (
            {"xyzzy": 1},
            "no TRL argument 'xyzzy' for method=sft; TRL's documentation of the trainer lists its arguments",
        ),
        ({"learning_rate": 0.1}, "method.args.learning_rate is for ptx to set; use method.learning_rate=..."),
        ({"output_dir": "x"}, "method.args.output_dir is for ptx to set; use out=..."),
        ({"report_to": "wandb"}, "method.args.report_to is for ptx to set; use tracker=..."),
        ({"hub_token": "x"}, "method.args.hub_token is for ptx to set; leave it out"),
        (
            {"max_grad_norm": "high"},
            "method.args.max_grad_norm must be float, got 'high' (str); type method.args.max_grad_norm=VALUE",
        ),
        (
            {"gradient_checkpointing": 1},
            (
                "method.args.gradient_checkpointing must be bool, got 1 (int); type"
                " method.args.gradient_checkpointing=VALUE"
            ),
        ),
        (
            {"logging_steps": True},
            "method.args.logging_steps must be float, got True (bool); type method.args.logging_steps=VALUE",
        ),
    ],
)
def test_a_wrong_argument_says_what_would_be_right(args, expected):
    assert found(args) == [expected]


def test_an_enum_takes_its_values_only():
    assert found({"optim": "adamw_torch"}) == []
    (message,) = found({"optim": "adam_torch"})
    assert message.startswith("method.args.optim must be one of adamw_torch, ")


def test_all_problems_come_at_once():
    assert len(found({"xyzzy": 1, "seed": 2, "max_grad_norm": None})) == 3


def test_a_method_adds_what_is_its_own_to_set():
    assert found({"beta": 0.5}, "DPOConfig", {"beta": "method.beta"}) == [
        "method.args.beta is for ptx to set; use method.beta=..."
    ]
    assert found({"beta": 0.5}, "DPOConfig") == []


def test_what_ptx_sets_exists_in_trl():
    import trl

    gone = {"overwrite_output_dir", "no_cuda", "warmup_ratio"}  # of older versions, still in people's scripts
    known = {
        name
        for config in ("SFT", "DPO", "KTO", "GRPO")
        for name in getattr(trl, f"{config}Config").__dataclass_fields__
    }
    assert set(OWNED) - gone <= known


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "hint", "right"),
    [
        (1, float, True),
        (1.0, int, False),
        (True, int, False),
        (None, int | None, True),
        ("red", Colour, True),
        ("red", Colour | str, True),
        ("blue", Colour | str, False),
        ([1, 2], list[int], True),
        ([1, "2"], list[int], False),
        ([1], list, True),
        ({"a": 1}, dict[str, Any] | str | None, True),
        (False, str | Literal[False] | None, True),
        (object(), Any, True),
    ],
)
def test_a_value_fits_its_type(value, hint, right):
    assert fits(value, hint) is right


def test_types_are_said_in_words():
    assert wanted(int | None) == "int or null"
    assert wanted(Colour | str) == "one of red"
    assert wanted(list[str]) == "list[str]"


def test_a_problem_is_a_problem():
    assert problems(TrlMethod(args={"seed": 1}), "sft", "SFTConfig", {}) == [
        Problem("method.args.seed is for ptx to set", "use seed=...")
    ]
