from ptx.report import load_records, make_frame
from ptx.report.formats.headline import headline, table_html
from tests.ptx.report.runs import exact, write_run, write_sweep


def test_the_headline_table_has_a_line_per_run_with_its_status(tmp_path):
    write_run(tmp_path / "s" / "sft", "quiz", [], [exact("quiz/right", 0.5, "higher")])
    write_run(tmp_path / "s" / "dpo", "quiz", [], [])
    found = headline(make_frame(load_records([write_sweep(tmp_path / "s", "sft", "dpo")])))
    assert found.heads[:2] == ["run", "status"]
    assert [row[:2] for row in found.rows] == [["sft", "done"], ["dpo", "done"]]
    assert found.rows[1][2:] == ["-"]
    assert found.left_out == ""


def test_texts_of_a_table_are_escaped():
    shown = table_html(["<a>"], [["<b>"]], "<c>")
    assert shown == (
        "<table><thead><tr><th>&lt;a&gt;</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>"
        "<p>&lt;c&gt;</p>"
    )
