"""Training curves, and what they ask to be said."""

import json

import pytest

from ptx.files import append_event
from ptx.report.page.training import MOST_POINTS, logged, sentences_of
from ptx.report.table.records import Record
from tests.ptx.report.pages import data_of


def record(folder, *events, label="sft"):
    """A record with log events."""
    folder.mkdir()
    for step, metrics in enumerate(events):
        append_event(folder / "events.jsonl", "log", step=step, metrics=metrics, label=label)
    return Record(folder, "done", run={"steps": [{"name": label, "key": "k"}]})


def test_a_shared_training_curve_is_drawn_once(demo_report):
    steps = data_of(demo_report)["training"]
    assert sorted(one["step"] for one in steps) == ["dpo", "grpo", "kto", "sft"]
    assert [len(one["rows"]) for one in steps] == [3, 3, 3, 3]
    (grpo,) = [one for one in steps if one["step"] == "grpo"]
    assert {metric["name"] for metric in grpo["metrics"]} == {"loss", "reward", "learning_rate"}


def test_values_that_are_not_finite_make_no_point(tmp_path):
    found = logged(record(tmp_path / "a", {"loss": 1.0}, {"loss": float("nan")}, {"loss": "broken"}))
    assert found == {"sft": {"loss": [(0.0, 1.0)]}}


def test_a_curve_of_many_points_is_thinned_and_keeps_its_ends(new_sweep, tmp_path):
    from ptx.report import build

    sweep = new_sweep()
    folder = sweep.run({"method": "sft"})
    with (folder / "events.jsonl").open("a") as file:
        for step in range(41, 20_000):
            event = {"event": "log", "step": step, "metrics": {"loss": 1 / step}, "label": "sft"}
            file.write(json.dumps(event) + "\n")
    (one,) = data_of(build([sweep.folder], tmp_path / "out"))["training"]
    xs = [float(x) for x in one["metrics"][0]["x"].split(",")]
    assert (xs[0], xs[-1]) == (1, 19_999)
    assert len(xs) <= MOST_POINTS + 1


def rising(start, end, count=20):
    return [(float(i), start + (end - start) * i / (count - 1)) for i in range(count)]


@pytest.mark.parametrize(
    ("curves", "said"),
    [
        (
            {"rewards/margins": rising(0, 1), "logps/chosen": rising(-4, -6)},
            "while the log-probability of the chosen",
        ),
        ({"rewards/margins": rising(0, 1), "logps/chosen": rising(-6, -4)}, ""),
        ({"reward": rising(0, 1), "completions/mean_length": rising(10, 30)}, "answers became longer"),
        ({"reward": rising(0, 1), "completions/mean_length": rising(30, 10)}, ""),
        ({"eval_loss": [(0, 2.0), (10, 1.0), (20, 1.4)]}, "lowest at step 10"),
        ({"entropy": rising(2, 0.01), "reward": rising(0, 1)}, "hardly explores"),
        ({"frac_reward_zero_std": rising(0.1, 0.9)}, "they teach nothing"),
        ({"loss": rising(3, 1)}, ""),
        ({"rewards/margins": rising(0, 1, 3), "logps/chosen": rising(-4, -6, 3)}, ""),  # too short to say
    ],
)
def test_the_sentences_that_the_field_asks_for(curves, said):
    assert (said in "".join(sentences_of(curves))) if said else sentences_of(curves) == []
