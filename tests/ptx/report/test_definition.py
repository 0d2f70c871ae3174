"""A report's definition: what it shows, what it decides by, and every fault of it at once."""

from __future__ import annotations

import pytest

from ptx.errors import ConfigError
from ptx.report import build, load_records, make_frame
from ptx.report.definition import Definition, as_one, load_definition, make_definition
from ptx.report.gate import Constraint, Gate
from tests.ptx.report.pages import data_of


def frame_of(demo):
    return make_frame(load_records([demo]))


def test_metrics_axes_gates_and_parts_are_those_of_the_definition(demo, toy_host, tmp_path):
    small = {"small": {"metric": "size/bytes_on_disk", "versus": "ratio", "at_most": 0.5}}
    given = {
        "title": "Small ones",
        "headline": "bench/tiny_choices/exact_match",
        "metrics": ["size/*"],
        "axes": ["size/bytes_on_disk", "latency/p95_seconds", "size/parameters"],
        "gates": [small, "compressed"],
        "sections": ["samples", "table"],
    }
    report = build([demo], tmp_path / "out", definition=make_definition(toy_host, "mine", given))
    data, html = data_of(report), report.html.read_text(encoding="utf-8")
    names = [one["name"] for one in data["metrics"]]
    assert names[data["axes"]["quality"]] == given["headline"]
    assert [names[place] for place in data["axes"]["costs"]] == given["axes"]
    assert [names[place] for place in data["columns"]][:3] == [
        given["headline"],
        "size/bytes_on_disk",
        "size/parameters",
    ]
    assert data["matrix"]["gate"] == "inline and compressed"
    assert [head[0] for head in data["matrix"]["heads"]] == ["small", "capability", "size", "speed"]
    assert html.index('<section id="samples"') < html.index('<section id="table"')
    assert '<section id="training"' not in html
    assert "<title>Small ones</title>" in html
    assert (tmp_path / "out" / "quality-size-parameters.svg").is_file()
    assert report.csv.read_text().count("bench/mean") > 12  # the files keep every metric


def test_every_fault_of_a_definition_comes_at_once(toy_host):
    given = {
        "metric": ["bench/mean"],
        "headline": 3,
        "axes": "size/bytes_on_disk",
        "metrics": [],
        "sections": ["tabel"],
        "gates": ["shipp", {"a": {"metric": "m"}}],
    }
    with pytest.raises(ConfigError) as caught:
        make_definition(toy_host, "mine", given)
    text = str(caught.value)
    for said in (
        "report mine has no field 'metric'",
        "did you mean 'metrics'",
        "report mine.headline is 3",
        "report mine.axes is 'size/bytes_on_disk'",
        "report mine.metrics is []",
        "no part 'tabel'",
        "did you mean 'table'",
        "no gate 'shipp'",
        "a needs one bound",
    ):
        assert said in text, said


def test_a_metric_that_is_misspelt_is_an_error_and_one_that_was_not_measured_a_note(demo, tmp_path):
    wrong = Definition("mine", headline="bench/men", metrics=["size/byte_on_disk"], axes=["judge/win_rate"])
    with pytest.raises(
        ConfigError, match=r"headline: no run has 'bench/men'.*\n.*metrics: no run has"
    ) as caught:
        wrong.apply(frame_of(demo))
    assert "did you mean 'bench/mean'" in str(caught.value)
    judged = Definition("mine", metrics=["judge/win_rate", "bench/mean"])
    text = build([demo], tmp_path / "out", definition=judged).markdown.read_text(encoding="utf-8")
    assert "asked for and not measured; add judge to eval" in text.replace("\\", "")


def test_constraints_of_one_name_keep_that_of_their_gate():
    a, b = (
        Gate(name, {"size": Constraint("size/bytes_on_disk", at_most=most)})
        for name, most in (("a", 1), ("b", 2))
    )
    assert list(as_one([a, b]).constraints) == ["a.size", "b.size"]
    assert as_one([a]) is a
    assert as_one([]) is None


@pytest.mark.parametrize("name", ["release", "compression"])
def test_every_packaged_definition_fits_a_usual_sweep(name, demo, toy_host, desk):
    found = load_definition(toy_host, name)
    assert all(
        missing.startswith(("judge/", "safety/", "reliability/", "latency/request_ratio"))
        for missing in found.apply(frame_of(demo))
    )
    assert found.gate.constraints


def test_a_definition_is_a_choice_of_the_user_or_a_file(toy_host, desk):
    (desk / "conf" / "report").mkdir(parents=True)
    (desk / "conf" / "report" / "mine.yaml").write_text("title: Mine\n")
    (desk / "other.yaml").write_text("title: Other\n")
    assert load_definition(toy_host, "mine").title == "Mine"
    assert load_definition(toy_host, "./other.yaml").title == "Other"
    with pytest.raises(ConfigError, match=r"no report 'min'.*did you mean 'mine'"):
        load_definition(toy_host, "min")
    with pytest.raises(ConfigError, match=r"no report definition lost.yaml"):
        load_definition(toy_host, "lost.yaml")
