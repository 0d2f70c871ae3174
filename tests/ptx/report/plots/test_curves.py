"""Training curves."""

import json
import re

from ptx.files import append_event
from ptx.report.plots.curves import MARGIN, WIDTH, sparks_of
from ptx.report.table.records import Record
from ptx.report.table.row import Row
from tests.ptx.report.pages import texts


def logged(folder, key, *events, label="sft"):
    """A row of one record with a step and its log events."""
    folder.mkdir()
    for step, metrics in enumerate(events):
        append_event(folder / "events.jsonl", "log", step=step, metrics=metrics, label=label)
    return Row(1, [Record(folder, "done", run={"steps": [{"name": label, "key": key}]})], label=folder.name)


def test_a_shared_training_curve_is_drawn_once(demo_report):
    html, _ = texts(demo_report)
    assert html.count('class="spark"') == 5  # a loss for each of four methods, and the reward of grpo
    assert "shared by 3 rows" in html


def test_a_curve_knows_its_first_and_last_value(tmp_path):
    (spark,) = sparks_of([logged(tmp_path / "a", "k", {"loss": 2.0}, {"loss": 1.5}, {"loss": 0.5})])
    assert (spark.label, spark.step, spark.metric) == ("a", "sft", "loss")
    assert (spark.first, spark.last, spark.points) == (2.0, 0.5, 3)
    assert "loss: 2 at step 0 to 0.5 at step 2, lowest 0.5, highest 2" in spark.svg


def test_the_exact_name_is_drawn_rather_than_a_longer_one(tmp_path):
    events = [{"kl_loss": 1.0, "loss": 2.0, "reward_std": 0.1, "reward_total": 3.0, "eval_loss": 4.0}] * 2
    found = sparks_of([logged(tmp_path / "a", "k", *events)])
    assert [spark.metric for spark in found] == ["loss", "reward_total"]


def test_one_point_and_values_that_are_not_finite_make_no_curve(tmp_path):
    events = [{"loss": 1.0}, {"loss": float("nan")}, {"loss": "broken"}]
    assert sparks_of([logged(tmp_path / "a", "k", *events)]) == []


def test_the_label_of_a_step_is_escaped(tmp_path):
    (spark,) = sparks_of([logged(tmp_path / "a", "k", {"loss": 1.0}, {"loss": 0.5}, label="<b>")])
    assert "<b>" not in spark.svg


def test_a_curve_of_many_points_keeps_its_peaks_and_few_dots(tmp_path):
    values = [1.0 - i / 1e5 for i in range(50_000)]
    values[33_333] = 5.0
    row = logged(tmp_path / "long", "k", {"loss": 1.0})
    with (tmp_path / "long" / "events.jsonl").open("a") as file:
        for step, value in enumerate(values, 1):
            event = {"event": "log", "step": step, "metrics": {"loss": value}, "label": "sft"}
            file.write(json.dumps(event) + "\n")
    (spark,) = sparks_of([row])
    heights = [float(y) for y in re.findall(r"[\d.]+,([\d.]+)", spark.svg)]
    assert spark.points == 50_001
    assert len(heights) <= 4 * (WIDTH + 1)
    assert min(heights) == MARGIN  # the peak
    assert "highest 5" in spark.svg
