"""A line of the diagnosis is checked where it is made: the other tests of this folder."""

from ptx.cli.doctor import SIGNS
from ptx.cli.doctor.line import Line


def test_a_line_without_a_word_about_it_is_fine():
    assert SIGNS[Line("Python", "3.11").severity][0] == "ok"
