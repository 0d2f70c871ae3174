"""The sentence on general capability: before, after, and the paired interval."""

from __future__ import annotations

import pytest

from ptx.files import write_json, write_rows
from ptx.report import build
from ptx.report.text.forgetting import BITS, KL
from ptx.stats.items import measure


def rows_of(worse, far=0.3):
    """Forty texts that differ a lot; each is ``worse`` bits per byte worse than it was, more or less."""
    return [
        {
            "item": f"t{i}",
            "scores": {BITS: 1 + i / 10 + worse * (1 + 0.1 * (i % 3 - 1)), KL: far},
            "segments": {},
            "weight": 100 + i,
        }
        for i in range(40)
    ]


@pytest.fixture
def report_of(tmp_path):
    """``report_of(baseline=rows, sft=rows, ...)``: the Markdown."""

    def make(**runs):
        for ident, rows in runs.items():
            folder = tmp_path / "sweep" / ident
            (folder / "evaluations").mkdir(parents=True)
            write_rows(folder / "evaluations" / "forgetting.jsonl", rows)
            metrics = [*measure(BITS, "bits/byte", "lower", rows), *measure(KL, "nats/token", "lower", rows)]
            run = {
                "id": ident,
                "label": ident,
                "sweep": "s",
                "baseline": ident == "baseline",
                "seed": 0,
                "config": {"method": ident},
            }
            run |= {
                "varied": {} if ident == "baseline" else {"method": ident},
                "model": {"name": "m", "digest": "d"},
            }
            write_json(folder / "run.json", run)
            result = {
                "status": "done",
                "steps": [],
                "evaluations": [{"name": "forgetting"}],
                "error": None,
                "seconds": 1.0,
            }
            write_json(
                folder / "result.json",
                result | {"metrics": [vars(metric) | {"evaluator": "forgetting"} for metric in metrics]},
            )
        write_json(tmp_path / "sweep" / "sweep.json", {"name": "s", "runs": list(runs), "axes": {}})
        return build([tmp_path / "sweep"], tmp_path / "report").markdown.read_text()

    return make


def test_forgetting_is_one_sentence_with_paired_intervals(report_of):
    text = report_of(
        baseline=rows_of(0.0, 0.0), sft=rows_of(0.2), dpo=rows_of(-0.1, 0.05), kto=rows_of(0.0, 0.01)
    )
    (line,) = (line for line in text.splitlines() if "general text, bits per byte" in line)
    assert (
        line.replace("\N{NO-BREAK SPACE}", " ")
        .strip()
        .startswith(
            "- **General capability** (general text, bits per byte before → after): measurably worse: sft"
            " 3.06 → 3.26 (+0.20 [+0.19, +0.20], KL 0.3000 nats/token)"
        )
    )
    assert (
        line.index("measurably worse: sft")
        < line.index("measurably better: dpo")
        < line.index("not measurably different: kto")
    )


def test_a_model_without_a_baseline_or_without_general_text_has_no_such_sentence(report_of):
    assert "General capability" not in report_of(baseline=rows_of(0.0))
