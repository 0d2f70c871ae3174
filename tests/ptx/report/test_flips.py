"""Answers that changed sides between two runs: each item counts once, whatever its time and however many
metrics it has a part in.
"""

import pytest

from ptx.files import write_json, write_rows
from ptx.records import Metric
from ptx.report import build

TASK, MEAN = "bench/choices/acc", "bench/mean"


@pytest.fixture
def report_of(tmp_path):
    """A report of two runs, of which each answer is right or wrong."""

    def make(**answers):
        for ident, right in answers.items():
            folder = tmp_path / "sweep" / ident
            (folder / "evaluations").mkdir(parents=True)
            rows = [
                {
                    "item": f"choices:{n}",
                    "scores": {TASK: value, MEAN: value},
                    "segments": {},
                    "output": f"said {value}",
                    "latency": 0.0617,
                }
                for n, value in enumerate(right)
            ]
            write_rows(folder / "evaluations" / "bench.jsonl", rows)
            share = sum(right) / len(right)
            metrics = [
                vars(Metric(name, share, "fraction", "higher", 0.0, 1.0, len(right))) | {"evaluator": "bench"}
                for name in (TASK, MEAN)
            ]
            run = {
                "id": ident,
                "label": ident,
                "sweep": "s",
                "baseline": ident == "before",
                "varied": {},
                "config": {},
                "seed": 0,
            }
            write_json(folder / "run.json", run | {"model": {"name": "m", "digest": "d"}, "evaluations": []})
            result = {
                "status": "done",
                "steps": [],
                "evaluations": [{"name": "bench"}],
                "error": None,
                "seconds": 1.0,
                "metrics": metrics,
            }
            write_json(folder / "result.json", result)
        write_json(tmp_path / "sweep" / "sweep.json", {"name": "s", "runs": list(answers), "axes": {}})
        return build([tmp_path / "sweep"], tmp_path / "report").html.read_text()

    return make


def test_an_item_whose_score_is_in_two_metrics_is_one_flip(report_of):
    html = report_of(before=[1.0] * 6 + [0.0] * 4, after=[1.0] * 4 + [0.0] * 5 + [1.0])
    assert "Flips against before: 2 lost, 1 gained" in html


def test_the_time_an_item_took_is_no_part_of_the_report(report_of):
    assert "0.0617" not in report_of(before=[1.0, 0.0, 1.0], after=[0.0, 1.0, 1.0])
