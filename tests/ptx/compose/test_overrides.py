"""The words of a command: what they choose, what they set, and the grid that they span."""

import pytest

from ptx import ConfigError
from ptx.compose.groups import hydra
from ptx.compose.overrides import choices_and_values, grid, is_path, read
from ptx.hooks.host import get_host


def rows(*words, multirun=True):
    return [[line for line, _ in row] for row in grid(read(get_host(), words, multirun=multirun))]


@pytest.fixture
def sort_words(toy_host, desk):
    """(choices, values, problems) of words, with the choices of the toy plugin."""

    def sort(*words):
        with hydra(toy_host, None):
            choices, values, problems = choices_and_values(list(words))
        return choices, values, [str(problem) for problem in problems]

    return sort


def test_the_last_axis_of_a_grid_varies_fastest():
    assert rows("a=1,2", "b=x", "c=range(0,2)") == [
        ["a=1", "b=x", "c=0"],
        ["a=1", "b=x", "c=1"],
        ["a=2", "b=x", "c=0"],
        ["a=2", "b=x", "c=1"],
    ]


def test_only_the_words_of_an_axis_vary():
    first, _ = grid(read(get_host(), ["a=1,2", "b=x"], multirun=True))
    assert first == [("a=1", True), ("b=x", False)]


def test_a_list_of_runtimes_is_an_axis_without_multirun():
    assert rows("runtime=[hf,onnx]", multirun=False) == [["runtime=hf"], ["runtime=onnx"]]


def test_every_unreadable_word_is_reported_and_nothing_can_be_deleted():
    with pytest.raises(ConfigError) as caught:
        read(get_host(), ["a=(", "method", "~method"], multirun=False)
    found = [str(problem) for problem in caught.value.problems]
    assert len(found) == 3
    assert found[0].startswith("cannot read 'a=('")
    assert found[2] == "'~method': nothing can be deleted; write method=null or =[]"


def test_words_are_sorted_into_choices_and_values(sort_words):
    assert sort_words("method=toy", "compress=[halve,round]", "method.rate=0.5", "eval=[]") == (
        {"method": "toy", "compress": "[halve,round]", "eval": "[]"},
        [("method.rate", 0.5)],
        [],
    )


@pytest.mark.parametrize(
    ("word", "value"), [("runtime=null", "null"), ("compress=null", "[]"), ("qat=null", "none")]
)
def test_a_group_is_emptied_in_the_form_that_hydra_expects(sort_words, word, value):
    choices, _, problems = sort_words(word)
    assert (list(choices.values()), problems) == ([value], [])


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("compress=halve", "compress takes a list, got compress=halve; write compress=[halve]"),
        ("method=[toy]", "method takes one value, got method=[toy]; write method=toy"),
        (
            "compress=[halve,halve]",
            "compress=[halve,halve] names a choice twice; to repeat a step write a recipe",
        ),
        ("compress=[halv]", "no compress 'halv'; did you mean 'halve'?"),
    ],
)
def test_a_value_that_does_not_suit_its_group_is_answered_with_one_that_does(sort_words, word, problem):
    assert sort_words(word)[2] == [problem]


def test_a_model_or_data_value_that_is_no_choice_is_a_path(sort_words):
    assert sort_words("model=./model", "data=text.jsonl")[:2] == (
        {"model": "path", "data": "path"},
        [("model.path", "model"), ("data.path", "text.jsonl")],
    )
    (problem,) = sort_words("model=nowhere")[2]
    assert problem.startswith("no model 'nowhere', and no such file or folder; ")
    assert "Write a path as ./nowhere, an id of the hub as org/name" in problem


@pytest.mark.parametrize(
    ("group", "value", "answer"),
    [
        ("model", "./x", True),
        ("model", "/x", True),
        ("model", "~/x", True),
        ("model", "model", True),  # a folder of that name exists
        ("model", "org/name", False),
        ("data", "mine.csv", True),
        ("model", "mine.csv", False),
    ],
)
def test_a_path_is_known_by_its_form_or_its_existence(desk, group, value, answer):
    assert is_path(group, value) is answer
