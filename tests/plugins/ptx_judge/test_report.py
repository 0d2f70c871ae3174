"""The report's section, from run folders on disk: marks, and the order of the runs."""

import json

import pytest

from ptx.report.table.records import load_records
from ptx_judge import rank
from ptx_judge.report import sections


@pytest.fixture
def sweep(tmp_path):
    """``sweep(name={item: score}, ...)``: finished runs whose judge scored each answer by itself."""

    def write(metric="judge/win_rate_unchecked", kappa=None, label="method={}", **runs):
        for name, scores in runs.items():
            folder = tmp_path / "sweep" / name
            (folder / "evaluations").mkdir(parents=True)
            run = {
                "id": name,
                "label": label.format(name),
                "sweep": "sweep",
                "config": {"eval": {"judge": {"margin": 0.0}}},
            }
            (folder / "run.json").write_text(json.dumps(run))
            row = {
                "unit": "fraction",
                "better": "higher",
                "segment": "",
                "evaluator": "judge",
                "n": len(scores),
            }
            metrics = [{**row, "name": metric, "value": 0.5, "low": 0.4, "high": 0.6}]
            metrics += (
                [{**row, "name": f"{metric}/kappa", "value": kappa, "low": kappa, "high": kappa}]
                if kappa
                else []
            )
            result = {"status": "done", "metrics": metrics, "evaluations": [{"name": "judge"}]}
            (folder / "result.json").write_text(json.dumps(result))
            rows = [
                {"item": item, "judge": "it 123", "scores": {"judge/score": score}}
                for item, score in scores.items()
            ]
            (folder / "evaluations" / "judge.jsonl").write_text(
                "".join(json.dumps(one) + "\n" for one in rows)
            )
        return tmp_path / "sweep"

    return write


def page(folder):
    return "".join(sections(load_records([folder])))


ITEMS = [str(number) for number in range(40)]


def scores(shift):
    return {item: (int(item) * 7 + shift) % 10 for item in ITEMS}


@pytest.mark.parametrize(
    ("metric", "kappa", "mark"),
    [
        ("judge/win_rate_unchecked", None, "never checked against people"),
        ("judge/win_rate_unchecked", 0.3, "agrees too little with people"),
        ("judge/win_rate", 0.8, None),
    ],
)
def test_a_win_rate_is_marked_unless_its_judge_was_checked(sweep, metric, kappa, mark):
    text = page(sweep(metric, kappa, a=scores(0)))
    assert ("⚠" in text) is (mark is not None)
    assert mark is None or mark in text


def test_runs_are_put_in_order_from_scores_without_asking_anybody(sweep):
    text = page(
        sweep(
            weak={item: 1.0 if int(item) % 4 == 0 else 0.0 for item in ITEMS},
            middle=scores(3),
            strong=scores(6),
        )
    )
    assert "Bradley and Terry" in text
    order = text.partition("Every run against every other")[2]
    assert order.index("method=weak") > max(order.index("method=middle"), order.index("method=strong"))


def test_rounds_that_were_played_come_before_scores(sweep):
    folder = sweep(a=scores(0), b=scores(0), c=scores(0))
    games = [
        {"item": item, "a": one, "b": other, "outcome": 0.0 if int(item) % 5 else 1.0}
        for item in ITEMS
        for one, other in ("ab", "ac", "bc")
    ]
    rank.keep(folder, games)
    order = page(folder).partition("Every run against every other")[2]
    assert order.index("method=c") < order.index("method=b") < order.index("method=a")


def test_no_order_is_made_up_where_one_run_won_everything(sweep):
    text = page(sweep(a=dict.fromkeys(ITEMS, 1.0), b=dict.fromkeys(ITEMS, 0.0), c=dict.fromkeys(ITEMS, 0.0)))
    assert "have no estimate" in text


def test_what_a_run_is_called_is_escaped(sweep):
    text = page(sweep(label="<script>{}</script>", a=scores(0)))
    assert "<script>" not in text
    assert "&lt;script&gt;a" in text


def test_a_report_without_a_judge_has_no_section(tmp_path):
    assert sections([]) == []
