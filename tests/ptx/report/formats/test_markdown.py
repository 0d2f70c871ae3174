"""The Markdown file."""

import re

from ptx.report import build
from ptx.report.formats.markdown import escape
from tests.ptx.report.pages import texts


def test_markdown_escapes_what_would_be_markup():
    assert escape("a|b\n<i>*_`[x](y)") == "a\\|b &lt;i&gt;\\*\\_\\`\\[x\\](y)"


def test_an_address_does_not_become_a_link():
    assert escape("see https://evil.example") == "see https&#58;//evil.example"


def test_every_line_of_a_table_has_as_many_cells_as_its_head(demo_report):
    _, markdown = texts(demo_report)
    tables = re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE)
    assert len(tables) >= 6
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_the_sections_stand_in_the_order_of_reading(demo_report):
    _, markdown = texts(demo_report)
    assert re.findall(r"^## (.*)$", markdown, re.MULTILINE) == [
        "Results",
        "Segments",
        "All metrics",
        "Steps and evaluations",
        "Where the numbers come from",
    ]


def test_a_report_without_a_quality_metric_says_so(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({"method": "dpo"}, status="unfinished")
    _, markdown = texts(build([sweep.folder], tmp_path / "out"))
    assert "No quality metric was recorded." in markdown
    assert "No step or evaluation has finished." in markdown
