"""What a step meets: the longest of its rows, counted once."""

import pytest

from ptx import ModelRef
from ptx.data import open_data
from ptx.lm.training.method import TrlMethod
from ptx.plan import workload
from ptx.plan.workload import workload_of
from tests.plugins.conftest import chat_model, make_data

__all__ = ["chat_model", "make_data"]
ROWS = [
    {"messages": [{"role": "user", "content": "a b"}, {"role": "assistant", "content": "c " * n}]}
    for n in (1, 9)
]


class Chat(TrlMethod):
    needs = ("messages",)


def test_the_longest_row_is_counted_with_the_template_and_the_rows_are_counted(chat_model, make_data):
    data = make_data("rows", ROWS)
    found = workload_of(Chat(), ModelRef(chat_model), data, "cpu", {"teacher": ModelRef(chat_model)})
    short = workload_of(Chat(), ModelRef(chat_model), make_data("short", ROWS[:1]), "cpu")
    assert (found.rows, short.rows) == (2, 1)
    assert found.longest > short.longest > 4
    assert found.others["teacher"] == found.model


def test_the_rows_of_equal_data_are_counted_once_in_a_sweep(chat_model, make_data, monkeypatch):
    data = make_data("rows", ROWS)
    before = workload_of(Chat(), ModelRef(chat_model), data, "cpu")
    monkeypatch.setattr(workload, "longest_example", lambda *_: pytest.fail("counted again"))
    again = (
        open_data("again", data.sources["messages"].path)
        if hasattr(data.sources["messages"], "path")
        else data
    )
    assert workload_of(Chat(), ModelRef(chat_model), again, "cpu").longest == before.longest


def test_data_that_is_not_made_yet_has_no_rows_to_count(chat_model):
    found = workload_of(Chat(), ModelRef(chat_model), None, "cpu")
    assert (found.longest, found.rows) == (None, None)
