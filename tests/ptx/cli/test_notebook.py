import sys
from types import SimpleNamespace

import pytest

from ptx.cli import notebook
from ptx.cli.console import Terminal


class Area:
    """What ``IPython.display.display(..., display_id=True)`` returns: an output that can be replaced."""

    def __init__(self, first):
        self.shown = [first]

    def update(self, html):
        self.shown.append(html)


@pytest.fixture
def area(monkeypatch):
    """The area of a Jupyter cell; ``display_for`` finds a kernel."""
    areas = []

    def display(html, display_id):
        assert display_id
        areas.append(Area(html))
        return areas[0]

    kernel = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display, HTML=str))
    return areas


def test_in_a_notebook_one_area_holds_the_progress_and_what_was_said(area, monkeypatch, capsys):
    monkeypatch.setattr(notebook, "SECONDS_BETWEEN_UPDATES", 0.0)
    with notebook.display_for() as shown:
        shown.say("2 runs; <4> steps")
        shown.progress("sft", {"loss": 0.5}, 3, 10)
        during = area[0].shown[-1]
        shown.say("done")
    assert len(area) == 1
    assert "sft  3/10" in during
    assert "loss 0.5" in during
    last = area[0].shown[-1]
    assert "<summary><code>done</code></summary>" in last
    assert "2 runs; &lt;4&gt; steps" in last
    assert capsys.readouterr().out == ""


def test_updates_are_as_rare_as_a_browser_can_bear(area):
    with notebook.display_for() as shown:
        for step in range(1000):
            shown.progress("sft", {}, step, 1000)
    assert len(area[0].shown) < 10


def test_quiet_shows_nothing_and_without_a_notebook_it_is_the_terminal(capsys, monkeypatch):
    with notebook.display_for(quiet=True) as shown:
        shown.say("nobody sees this")
        shown.progress("sft", {}, 1, 2)
        with shown.waiting("reading"):
            pass
    assert capsys.readouterr().out == ""
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert type(notebook.display_for()) is Terminal
