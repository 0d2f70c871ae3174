"""The HTML page: self-contained, well formed, and safe."""

from html.parser import HTMLParser

from ptx.report import build
from tests.ptx.report.pages import column, marks, texts


def test_a_difference_inside_its_interval_is_never_called_better_or_worse(demo_report):
    judged = 0
    ends = zip(*(column(demo_report, "bench/mean", end) for end in ("dlo", "dhi")), strict=True)
    for (low, high), mark in list(zip(ends, marks(demo_report, "bench/mean").values(), strict=True))[1:]:
        if low <= 0 <= high:
            judged += 1
            assert mark == "≈"
    assert judged > 2


def test_prompts_and_answers_of_the_example_rows_are_escaped(demo_report):
    html = demo_report.html.read_text(encoding="utf-8")
    assert "\\u003cscript\\u003ealert('x')\\u003c/script\\u003e" in html
    assert "\\u003cb\\u003ewrong\\u003c/b\\u003e" in html
    assert "42 \\u0026 \\u003cmore\\u003e" in html
    assert html.count("<script") == 3
    assert "<script>alert('x')</script>" in texts(demo_report)[0]  # and is read as it was


def test_the_page_needs_nothing_from_elsewhere(demo_report):
    html = demo_report.html.read_text(encoding="utf-8")
    assert "default-src 'none'" in html

    class Links(HTMLParser):
        found: list[str] = []

        def handle_starttag(self, tag, attrs):
            self.found += [
                value for name, value in attrs if name in ("src", "href") and not value.startswith("#")
            ]
            assert tag != "link"

    Links().feed(html)
    assert Links.found == []
    assert "url(http" not in html
    assert "@import" not in html


def test_the_page_is_well_formed(demo_report):
    html = demo_report.html.read_text(encoding="utf-8")
    void = {"meta", "br", "rect", "circle", "line", "path", "polyline", "img"}

    class Balance(HTMLParser):
        open_tags: list[str] = []

        def handle_starttag(self, tag, attrs):
            if tag not in void:
                self.open_tags.append(tag)

        def handle_endtag(self, tag):
            if tag not in void:
                assert self.open_tags.pop() == tag, self.getpos()

    parser = Balance()
    parser.feed(html)
    assert parser.open_tags == []


def test_sections_of_plugins_are_inserted_unchanged(demo, tmp_path):
    asked = []

    def sections(records, folder):
        asked.append((len(records), folder))
        return ["<h2>Energy</h2><p>0.1 Wh</p>"]

    def page(given):
        return build([demo], tmp_path, sections=given).html.read_text(encoding="utf-8")

    assert "<h2>Energy</h2><p>0.1 Wh</p>" in page(sections)
    assert asked == [(13, tmp_path)]
    assert "<h2>Other</h2>" in page(["<h2>Other</h2>"])
