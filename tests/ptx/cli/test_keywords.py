from pathlib import Path

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from ptx.cli.keywords import Each, text_of, words_of
from ptx.errors import ConfigError

VALUES = [
    "dpo",
    "./a folder/with spaces",
    "it's",
    "ends with a backslash\\",
    "back\\slash's quote",
    "8",
    "1e3",
    "true",
    "null",
    "",
    "a,b",
    "[x]",
    "{a:b}",
    "Ünïcode",
    8,
    0.1,
    1e-7,
    True,
    None,
    [],
    ["a", "b c", 3],
    {"messages": 3, "./code.jsonl": 1.5},
    {"with": {"in": ["it's"]}},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_is_read_back_as_it_was(value):
    read = OverridesParser.create().parse_override(f"key={text_of(value)}")
    assert not read.is_sweep_override()
    assert read.value() == value


def test_paths_tuples_and_numbers_of_numpy_are_what_they_stand_for():
    assert text_of(Path("/data/rows.jsonl")) == "/data/rows.jsonl"
    assert text_of(("a", 1)) == "[a,1]"
    assert (text_of(np.int64(3)), text_of(np.float64(0.5)), text_of(np.bool_(True))) == ("3", "0.5", "true")


def test_several_values_are_an_axis_of_a_sweep():
    assert text_of(Each(("sft", 0.1, ["gptq"], "a b"))) == "sft,0.1,[gptq],'a b'"
    read = OverridesParser.create().parse_override(f"seed={text_of(range(2, 8, 3))}")
    assert list(read.sweep_string_iterator()) == ["2", "5"]


def test_two_underscores_are_a_dot_and_words_stay_words():
    settings = {"method": "dpo", "method__beta": 0.2, "eval__bench__few_shot": 2}
    assert words_of(["data=tiny"], settings) == [
        "data=tiny",
        "method=dpo",
        "method.beta=0.2",
        "eval.bench.few_shot=2",
    ]


def test_everything_that_cannot_be_written_is_reported_together():
    with pytest.raises(ConfigError) as raised:
        words_of(["dpo"], {"method__beta": object(), "seed": lambda: 1})
    assert [str(problem).partition(";")[0] for problem in raised.value.problems] == [
        "'dpo' is no word such as 'method.beta=0.2'",
        "method.beta: a value of type object cannot be a setting",
        "seed: a value of type function cannot be a setting",
    ]
