"""Two hundred hostile strings in every field: nothing runs, nothing is requested, nothing becomes markup."""

from __future__ import annotations

import csv
from html.parser import HTMLParser

import pytest

from ptx.report import build
from tests.ptx.report.hostile import STRINGS, write_hostile


@pytest.fixture(scope="module", params=[0, 100], ids=["first hundred", "second hundred"])
def report(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    write_hostile(folder / "s", STRINGS[request.param : request.param + 100])
    return build([folder / "s"], folder / "out")


class Page(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.depth = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def faults(page, *, links=()):
    """What would run, load or lead away."""
    return [
        one
        for one in page.attributes
        if one[1].startswith("on")
        or one[1] in ("srcdoc", "formaction", "action", "data")
        or (one[1] in ("src", "href") and not one[2].startswith("#") and one[2] not in links)
    ] + [tag for tag in page.tags if tag in ("iframe", "object", "embed", "form", "base", "link")]


def test_there_are_two_hundred_strings():
    assert len(set(STRINGS)) == 200


def test_the_page_has_its_own_script_and_no_other_link_or_handler(report):
    page = Page(report.html.read_text(encoding="utf-8"))
    assert faults(page) == []
    assert page.tags.count("script") == 3  # the data, the charts, the page's own
    assert page.tags.count("style") == 1
    assert "img" not in page.tags


def test_rendered_markdown_has_no_html_and_no_link(report):
    markdown = pytest.importorskip("markdown_it")
    made = markdown.MarkdownIt("commonmark", {"html": True}).enable("table")
    page = Page(made.render(report.markdown.read_text(encoding="utf-8")))
    pictures = ("quality-latency.svg", "quality-size.svg")
    assert faults(page, links=pictures) == []
    assert set(page.tags) <= {"h1", "h2", "h3", "p", "ul", "li", "strong", "blockquote"} | {
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "img",
        "em",
        "code",
    }


def test_no_cell_of_the_csv_is_a_formula(report):
    with report.csv.open(newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            for cell in row:
                try:
                    float(cell)
                except ValueError:
                    assert not cell.lstrip().startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20"))


def test_the_files_stay_small(report):
    assert report.html.stat().st_size < 6_000_000
    assert report.markdown.stat().st_size < 60_000
