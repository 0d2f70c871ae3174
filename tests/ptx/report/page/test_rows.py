"""The rows of the page, column by column."""

import pytest

from tests.ptx.report.pages import column, data_of


def test_rows_have_settings_standing_and_what_draws_them(demo_report):
    data = data_of(demo_report)
    rows = data["rows"]
    assert [one["name"] for one in data["settings"]] == ["method", "compress"]
    assert rows["base"] == [0]
    assert rows["method"]["values"] == ["baseline", "sft", "dpo", "kto", "grpo"]
    assert rows["compression"]["values"] == ["none", "sparsegpt", "gptq"]
    assert set(rows["standing"]["values"]) <= {"front", "near", "dominated", "missing"}


def test_the_difference_of_a_cell_is_that_of_the_table(demo_report):
    frame = demo_report.frame
    base, sft = (row.metric("size/bytes_on_disk").value for row in (frame.rows[0], frame.rows[3]))
    assert column(demo_report, "size/bytes_on_disk", "d")[3] == pytest.approx(sft - base, rel=1e-3)


def test_a_value_is_the_best_of_its_column_only_where_luck_cannot_have_chosen_it(new_sweep, tmp_path):
    from ptx.report import build

    sweep = new_sweep()
    sweep.run({}, baseline=True)
    sweep.run({"method": "sft"}, skill=0.95)
    sweep.run({"method": "dpo"}, skill=0.5, size=1_000_000)
    best = {
        one["name"]: one.get("best") for one in data_of(build([sweep.folder], tmp_path / "out"))["metrics"]
    }
    assert best["bench/mean"] == 1
    assert best["size/bytes_on_disk"] == 2
    assert best["latency/request_seconds"] is None


def test_with_more_compressions_than_shapes_those_on_the_front_keep_theirs(new_sweep, tmp_path):
    from ptx.report import build

    sweep = new_sweep()
    sweep.run({}, baseline=True)
    for place in range(9):
        sweep.run({"compress": f"[way_{place}]"}, skill=0.95 if place == 8 else 0.5, size=10_000_000 - place)
    rows = data_of(build([sweep.folder], tmp_path / "out"))["rows"]
    assert len(rows["compression"]["values"]) == 7
    assert {"none", "way_8", "others"} <= set(rows["compression"]["values"])
