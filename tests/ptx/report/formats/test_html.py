"""The HTML page: self-contained, well formed, and safe."""

from html.parser import HTMLParser

from ptx.report import build
from ptx.report.table.units import MINUS
from tests.ptx.report.pages import table, texts


def test_a_difference_inside_its_interval_is_never_called_better_or_worse(demo_report):
    html, _ = texts(demo_report)
    judged = 0
    for _, delta, *_ in table(html, 'id="results"')[1:]:
        mark, _, low, high = delta
        low, high = (float(end.strip("[],").replace(MINUS, "-")) for end in (low, high))
        if low <= 0 <= high:
            judged += 1
            assert mark == "≈"
    assert judged > 2


def test_prompts_and_answers_of_the_example_rows_are_escaped(demo_report):
    html, _ = texts(demo_report)
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in html
    assert "&lt;b&gt;wrong&lt;/b&gt;" in html
    assert "42 &amp; &lt;more&gt;" in html
    assert html.count("<script") == 1


def test_the_page_needs_nothing_from_elsewhere(demo_report):
    html, _ = texts(demo_report)
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
    html, _ = texts(demo_report)
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

    assert "<h2>Energy</h2><p>0.1 Wh</p>" in texts(build([demo], tmp_path, sections=sections))[0]
    assert asked == [(13, tmp_path)]
    assert "<h2>Other</h2>" in texts(build([demo], tmp_path, sections=["<h2>Other</h2>"]))[0]
