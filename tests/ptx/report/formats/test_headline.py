import pytest

from ptx.report import load_records
from ptx.report.building import findings_of
from ptx.report.formats.headline import headline, short_names, short_settings, table_html
from ptx.report.table.units import NOTHING
from tests.ptx.report.runs import exact, write_run, write_sweep


def table_of(found, most=20):
    return headline(found.view, found.decision, found.places, most)


def cells(table, head):
    return next(column.cells for column in table.columns if column.head == head)


def test_the_baseline_comes_first_then_what_ships_then_the_front(demo_report):
    table = table_of(demo_report.found)
    assert cells(table, "")[:4] == ["", "●", "●", "●"]
    assert cells(table, "method")[:2] == ["baseline", "sft"]
    assert cells(table, "compress")[:3] == ["", "gptq", NOTHING]
    assert demo_report.found.decision.pick.label == "sft · gptq"
    values = cells(table, "bench mean")
    assert values[0] == "0.485 [0.425, 0.545]"  # compared with nothing: no mark
    assert values[2].endswith("▲")
    assert cells(table, "size")[1] == "2.48 ▲"
    assert "against the baseline: ▲ better, ▼ worse" in table.legend


def test_rows_beyond_the_limit_are_counted_with_what_became_of_them(new_sweep):
    sweep = new_sweep()
    sweep.run({}, baseline=True)
    for place, status in enumerate(["done", "failed", "failed", "done"]):
        sweep.run({"method.beta": str(place)}, status=status)
    found = findings_of(load_records([sweep.folder]))
    table = table_of(found, 2)
    assert table.left_out == "… and 3 more (2 failed)"
    assert len(table.rows) == 2
    assert "status" not in table.heads  # the two that are shown are done
    assert table_of(found).left_out == ""
    assert cells(table_of(found), "status") == ["done", "done", "done", "failed", "failed"]


def test_settings_have_the_last_parts_of_their_names_that_tell_them_apart():
    assert short_settings(["method", "method.learning_rate", "eval.bench.limit", "eval.safety.limit"]) == {
        "method": "method",
        "method.learning_rate": "learning_rate",
        "eval.bench.limit": "bench.limit",
        "eval.safety.limit": "safety.limit",
    }


def test_a_setting_that_is_the_same_in_all_runs_is_no_column(new_sweep):
    sweep = new_sweep()
    sweep.run({}, baseline=True)
    for beta in ("0.1", "0.2"):
        sweep.run({"method": "dpo", "method.beta": beta, "compress": "[rtn_w8,sparsegpt]"})
    found = findings_of(load_records([sweep.folder]))
    assert [column.head for column in table_of(found).columns][1:3] == ["beta", "bench mean"]
    assert short_names(found.view.frame, found.view.frame.rows) == ["baseline", "0.1", "0.2"]


@pytest.mark.parametrize("most", [20, 1])
def test_runs_that_settings_do_not_tell_apart_have_their_labels(tmp_path, most):
    write_run(
        tmp_path / "s" / "sft", "quiz", [], [exact("quiz/right", 0.5, "higher")], varied={}, label="sft"
    )
    write_run(tmp_path / "s" / "dpo", "quiz", [], [], varied={}, label="dpo", model=OTHER)
    table = table_of(findings_of(load_records([write_sweep(tmp_path / "s", "sft", "dpo")])), most)
    assert cells(table, "run") == ["m", "other"][:most]
    assert cells(table, "quiz right") == ["0.500", NOTHING][:most]


OTHER = {"name": "other", "digest": "other"}


def test_texts_of_a_table_are_escaped():
    shown = table_html(["<a>"], [["<b>"]], "<c>")
    assert shown == (
        "<table><thead><tr><th>&lt;a&gt;</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>"
        "<p>&lt;c&gt;</p>"
    )
