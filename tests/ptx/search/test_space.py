"""Spaces: they are written as on the command line, and every field of them exists for some choice."""

from __future__ import annotations

import re

import pytest

from ptx.errors import ConfigError
from ptx.search.space import make_space, text_of
from tests.ptx.search.conftest import FIXED, problems


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ("range(8, 40, 8)", ["8", "16", "24", "32"]),
        ("range(0, 1, 0.25)", ["0", "0.25", "0.5", "0.75"]),
        ("int(interval(1, 3))", ["1", "2", "3"]),
        ("a,b", ["a", "b"]),
        (["[]", "[shave]"], ["[]", "[shave]"]),
        ("tag(log, interval(1e-5, 1e-3))", None),
    ],
)
def test_a_space_is_written_as_on_the_command_line(host, spec, values):
    assert make_space(host, {"method.x": spec}).axes[0].all_values() == values


def test_a_field_that_no_choice_of_the_space_has_is_not_silently_left_out(host, desk):
    space = {
        "method": "choice(bowl, flat)",
        "method.z": "interval(0, 1)",
        "compress": "choice([], [shave])",
        "compress.shaev.share": "0.1,0.2",
    }
    said = problems(host, fixed=[word for word in FIXED if word != "method=bowl"], space=space)
    assert "no method of the space has a field 'z'" in said
    assert "no value of compress holds 'shaev'; did you mean 'shave'?" in said


TREE = {
    "compress": "choice([], [shave])",
    "compress.shave.share": "choice(0.25, 0.5)",
    "method.x": "interval(0, 1)",
}


class Recorded:
    """Stands for an Optuna trial: answers with the largest value, and records what it was asked."""

    def __init__(self):
        self.asked = []

    def suggest_categorical(self, key, values):
        self.asked.append(key)
        return values[-1]

    def suggest_float(self, key, low, high, step=None, log=False):
        self.asked.append(key)
        return high - 1e-9

    def suggest_int(self, key, low, high, step=1, log=False):
        self.asked.append(key)
        return high


def test_corners_hold_every_value_of_a_choice_and_both_ends_of_an_interval(host):
    corners = make_space(host, TREE).corners(8)
    assert {corner["compress"] for corner in corners} == {"[]", "[shave]"}
    assert {corner["compress.shave.share"] for corner in corners if "compress.shave.share" in corner} == {
        "0.25",
        "0.5",
    }
    assert {corner["method.x"] for corner in corners} == {"0", "1"}


def test_a_field_is_left_out_of_the_points_whose_choice_does_not_have_it(host):
    space = make_space(host, {name: TREE[name] for name in ("compress", "compress.shave.share")})
    assert space.points() == [
        {"compress": "[]"},
        {"compress": "[shave]", "compress.shave.share": "0.25"},
        {"compress": "[shave]", "compress.shave.share": "0.5"},
    ]
    assert make_space(host, TREE).points() is None  # an interval has no last point


def test_a_trial_is_asked_for_groups_first_and_gets_text_inside_the_ends(host):
    trial = Recorded()
    space = make_space(host, {"method.x": "interval(0, 0.33333333)", "compress": "choice([], [shave])"})
    assert space.suggest(trial) == {"compress": "[shave]", "method.x": "0.3333"}
    assert trial.asked == ["compress", "method.x"]


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("choice(1)", "holds one value; move it to overrides"),
        ("interval(1, 1)", "is empty; write the smaller end first"),
        ("tag(log, interval(0, 1))", "starts at or below zero"),
        ("tag(log, range(1, 9, 2))", "has a step and a logarithmic scale; leave one out"),
        ("interval(", "cannot read 'interval('"),
    ],
)
def test_a_specification_that_gives_no_space_is_refused_with_what_to_write(host, spec, part):
    with pytest.raises(ConfigError, match=re.escape(part)):
        make_space(host, {"method.x": spec})


def test_a_point_reads_like_a_command_line():
    assert text_of({"method.rate": "0.1", "compress": "[halve]"}) == "method.rate=0.1 compress=[halve]"
    assert text_of({}) == "the overrides as they are"
