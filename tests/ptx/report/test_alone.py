"""Reports on models that were measured as they are: one by itself, or several without an untouched one among
them.
"""

from __future__ import annotations

import pytest

from ptx.files import write_json, write_rows
from ptx.records import Metric
from ptx.report import build
from ptx.stats.items import measure

NAMES = [*(f"bench/task_{i}/acc" for i in range(12)), "judge/win_rate", "quiz/right", "quiz/wrong"]


@pytest.fixture
def report_of(tmp_path):
    """``report_of(models)``: the report of ``ptx eval`` on each of these folders; ``served`` goes into their
    configuration.
    """

    def make(*models, **served):
        rows = [
            {
                "item": f"q{i}",
                "scores": dict.fromkeys(NAMES, float(i % 2)),
                "segments": {"language": "de" if i % 3 else "en"},
            }
            for i in range(30)
        ]
        for number, model in enumerate(models):
            folder = tmp_path / "sweep" / str(number)
            (folder / "evaluations").mkdir(parents=True)
            write_rows(folder / "evaluations" / "quiz.jsonl", rows)
            metrics = [metric for name in NAMES for metric in measure(name, "fraction", "higher", rows)]
            metrics += [Metric("latency/request_ratio", 1.0, "ratio", "lower", 0.9, 1.1, 20)]  # to itself
            metrics += [
                Metric(
                    "latency/request_seconds",
                    number + 1.0,
                    "seconds",
                    "lower",
                    number + 0.9,
                    number + 1.1,
                    20,
                )
            ]
            varied = {"model": model} if len(models) > 1 else {}
            run = {
                "id": str(number),
                "label": f"model={model} eval=[quiz]",
                "sweep": "s",
                "baseline": False,
                "seed": 0,
                "varied": varied,
            }
            run |= {
                "verb": "eval",
                "config": {"eval": {}, "model": model, **served},
                "model": {"name": model, "digest": model},
            }
            write_json(folder / "run.json", run)
            result = {
                "status": "done",
                "steps": [],
                "evaluations": [{"name": "quiz"}],
                "error": None,
                "seconds": 1.0,
            }
            write_json(
                folder / "result.json",
                result | {"metrics": [vars(metric) | {"evaluator": "quiz"} for metric in metrics]},
            )
        write_json(
            tmp_path / "sweep" / "sweep.json",
            {"name": "s", "runs": [str(n) for n in range(len(models))], "axes": {}},
        )
        return build([tmp_path / "sweep"], tmp_path / "report")

    return make


def test_a_model_by_itself_is_called_by_its_name_and_not_compared(report_of):
    report = report_of("/somewhere/tiny")
    text = report.markdown.read_text()
    assert [row.label for row in report.frame.rows] == ["tiny"]
    assert "One model, measured as it is: there is nothing to compare it with" in text
    assert "smaller" not in text.partition("## Results")[0]
    assert "Fastest" not in text


def test_models_of_several_folders_are_called_by_the_folders_names_unless_these_are_alike(report_of):
    assert [row.label for row in report_of("/a/base", "./b/sft", "tiny").frame.rows] == [
        "base",
        "sft",
        "tiny",
    ]


def test_two_folders_of_one_name_are_told_apart(report_of):
    assert [row.label for row in report_of("/a/sft", "/b/sft").frame.rows] == ["model=/a/sft", "model=/b/sft"]


def test_every_evaluator_has_a_column_before_one_has_them_all(report_of):
    frame = report_of("/somewhere/tiny").frame
    assert {"judge/win_rate", "quiz/right", "quiz/wrong"} <= set(frame.columns)
    assert sum(name.startswith("bench/") for name in frame.columns) == 7


def test_a_segment_column_says_of_what(report_of):
    head = next(
        line
        for line in report_of("/somewhere/tiny").markdown.read_text().splitlines()
        if "task\\_0: de" in line
    )
    assert "judge win rate: de" in head
    assert "quiz right: en" in head
    cells = head.split("|")
    assert len(cells) == len(set(cells)) + 1  # the empty ends are alike


def test_times_of_two_sittings_are_shown_and_not_compared(report_of):
    report = report_of("/a/base", "/b/slow")
    text = report.markdown.read_text()
    assert "Times were measured in a separate session per model and are not compared" in text
    assert "request, baseline" not in text
    line = next(line for line in text.splitlines() if line.startswith("| slow | latency/request\\_seconds"))
    assert line.endswith("n=20 | \N{EN DASH} |")


def test_what_took_turns_with_the_model_on_a_declared_runtime_is_compared(report_of):
    """``ptx eval model=A runtime=onnx baseline_runtime=hf``: no step was taken, and yet the two are not the
    same thing.
    """
    text = report_of(
        "/a/base", "/b/slow", runtime={"choice": "onnx"}, baseline_runtime={"choice": "hf"}
    ).markdown.read_text()
    assert "latency request, baseline = 1" in text
    assert "Times were measured in a separate session" not in text


def test_what_took_turns_with_itself_is_not(report_of):
    text = report_of(
        "/a/base", "/b/slow", runtime={"choice": "hf"}, baseline_runtime={"choice": "hf"}
    ).markdown.read_text()
    assert "latency request, baseline = 1" not in text
