import math

import pytest

from ptx.records import Metric
from ptx.report.formats.markdown import escape
from ptx.report.plots.axis import linear_ticks, log_ticks, make_axis
from ptx.report.plots.placement import Box, Label, place
from ptx.report.plots.tradeoff import NARROW, WIDE, Dot, Title, draw, with_standing
from ptx.report.table.metric_names import column_head
from ptx.report.table.units import SPACE, TIMES, duration, ratio_text, scale_of
from ptx.report.text.details import last_location


def exact(name, value, better="lower"):
    return Metric(name, value, "", better, value, value, 1)


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("fraction", 0.7123, "0.712"),
        ("seconds", 0.01234, "12.3 ms"),
        ("seconds", 0.0000123, "12.3 µs"),
        ("s", 3.5, "3.50 s"),
        ("bytes", 1_700_000, "1.70 MB"),
        ("bytes", 2_480, "2.48 kB"),
        ("bytes", 12.0, "12.0 B"),
        ("parameters", 2_457_600, "2.46 M"),
        ("tokens/s", 3820.4, "3,820 tok/s"),
        ("%", 12.5, "12.5 %"),
        ("furlongs", 3.2, "3.20 furlongs"),
        ("nats", -0.25, "\N{MINUS SIGN}0.250 nats"),
    ],
)
def test_units_are_written_for_people(unit, value, text):
    assert scale_of(unit, [value]).text(value) == text.replace(" ", SPACE)


def test_a_column_has_one_unit_and_enough_decimals_for_its_smallest_value():
    scale = scale_of("bytes", [9_800_000, 1_700_000, 260_000])
    assert [scale.text(value) for value in (9_800_000, 260_000)] == [f"9.80{SPACE}MB", f"0.26{SPACE}MB"]


def test_a_difference_has_a_sign_and_zero_has_none():
    scale = scale_of("fraction", [0.5])
    assert [scale.number(value, sign=True) for value in (0.1, -0.1, 0.0, -0.00001)] == [
        "+0.100",
        "\N{MINUS SIGN}0.100",
        "0.000",
        "0.000",
    ]


def test_durations_are_written_for_people():
    assert [duration(seconds) for seconds in (0.84, 42, 200, 7500)] == [
        f"0.8{SPACE}s",
        f"42{SPACE}s",
        f"3{SPACE}min{SPACE}20{SPACE}s",
        f"2{SPACE}h{SPACE}05{SPACE}min",
    ]


def test_ratios_say_in_which_direction():
    assert ratio_text(1.7, 9.8, "smaller", "larger") == f"5.8{TIMES} smaller"
    assert ratio_text(3.0, 2.0, "smaller", "larger") == f"1.50{TIMES} larger"
    assert ratio_text(2.0, 2.0, "smaller", "larger") == ""
    assert ratio_text(0.0, 2.0, "smaller", "larger") == ""


def test_an_axis_is_logarithmic_only_beyond_a_decade():
    narrow = make_axis([exact("x", value) for value in (1.0, 9.0)], 0, 100, may_log=True, wanted=5)
    wide = make_axis([exact("x", value) for value in (1.0, 200.0)], 0, 100, may_log=True, wanted=5)
    assert (narrow.log, wide.log) == (False, True)
    assert wide.at(math.sqrt(200)) == pytest.approx(50)
    assert 0 < narrow.at(1.0) < narrow.at(9.0) < 100


def test_an_axis_of_one_value_or_of_zero_still_has_a_range():
    for value in (5.0, 0.0):
        axis = make_axis([exact("x", value)], 0, 100, may_log=True, wanted=5)
        assert axis.at(value) == pytest.approx(50)
        assert len(axis.ticks) >= 2


def test_ticks_are_round_numbers_inside_the_range():
    assert linear_ticks(0.24, 0.76, 5) == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7])
    assert log_ticks(0.9, 21) == pytest.approx([1, 2, 5, 10, 20])


def crowd(count):
    """Points within a few pixels of each other."""
    return [
        Dot(
            index + 1,
            f"method{index} · gptq",
            index == 0,
            exact("x", 5 + index % 4 * 0.02),
            exact("y", 0.5 + index * 0.004, "higher"),
        )
        for index in range(count)
    ] + [Dot(99, "far", baseline=False, x=exact("x", 9.0), y=exact("y", 0.9, "higher"))]


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_labels_of_a_crowd_overlap_neither_each_other_nor_the_frame(size, monkeypatch):
    placed = []
    monkeypatch.setattr(
        "ptx.report.plots.tradeoff.place", lambda *args: placed.extend(place(*args)) or list(placed)
    )
    scale = scale_of("", [1.0])
    draw(with_standing(crowd(12)), Title("x", scale), Title("y", scale), size, "crowd")
    assert len(placed) == 13
    assert all(a.shared(b) == 0 for index, a in enumerate(placed) for b in placed[:index])
    assert all(box.beyond(Box(0, 0, size.width, size.height)) == 0 for box in placed)


def test_a_lone_label_stands_right_of_its_point():
    (box,) = place([Label(50, 50, 30, 10)], [], [], Box(0, 0, 200, 100))
    assert 50 < box.left < 65
    assert (box.top + box.bottom) / 2 == pytest.approx(50)


def test_a_picture_names_standing_and_values_of_every_point():
    scale = scale_of("", [1.0])
    dots = with_standing(
        [
            Dot(1, "a <b>", baseline=True, x=exact("x", 2.0), y=exact("y", 0.5, "higher")),
            Dot(2, "c", baseline=False, x=exact("x", 1.0), y=exact("y", 0.9, "higher")),
        ]
    )
    svg = draw(dots, Title("cost", scale), Title("good", scale), WIDE, "one")
    assert "1. a &lt;b&gt; (dominated)" in svg
    assert "2. c (on the front)" in svg
    assert "<rect x=" in svg
    assert "front-line" in svg


def test_markdown_escapes_what_would_be_markup():
    assert escape("a|b\n<i>*_`[x](y)") == "a\\|b &lt;i&gt;\\*\\_\\`\\[x\\](y)"


def test_the_last_place_of_a_traceback_is_the_innermost_file():
    trace = (
        'Traceback:\n  File "a.py", line 1, in f\n    g()\n  File "b.py", line 2, in g\n    raise X\nX:'
        " text\nwith two lines"
    )
    assert last_location(trace) == 'File "b.py", line 2, in g'
    assert last_location("X: text") == "X: text"
    assert last_location("") == ""


def test_unknown_metric_names_are_shown_as_they_are():
    assert column_head("judge/win_rate") == ("judge", "win rate")
    assert column_head("odd_metric") == ("", "odd_metric")
