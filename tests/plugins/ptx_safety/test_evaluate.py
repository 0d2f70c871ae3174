import json
import math
import os
from pathlib import Path

import pytest

from ptx import ModelRef
from ptx_hf import HF, ptx_load
from ptx_safety import Safety
from ptx_safety.evaluate import Case, judge, measured
from ptx_safety.stored import read_stored

SHARED = Path(os.environ.get("PTX_SHARED", Path(__file__).parents[4] / "shared"))


RUNS = SHARED / "data/jailbreakbench/runs/gemma-2b-it"


needs_runs = pytest.mark.skipif(
    not RUNS.is_dir(), reason="needs the stored JailbreakBench runs of PTX_SHARED"
)


KINDS = ("baseline", "ablation", "actadd")


FOUR = [
    f"safety/{name}"
    for name in ("harmful_compliance_rate", "attack_success_rate", "over_refusal_rate", "degenerate_rate")
]


def stored(kind):
    return RUNS / f"jailbreakbench_{kind}_evaluations.json"


def evaluated(run, config, lm):
    evaluation = run.host.first("ptx_evaluate", run=run, evaluator=config, model=None, lm=lm, baseline=None)
    return {(metric.name, metric.segment): metric for metric in evaluation.metrics}, evaluation.rows


@needs_runs
@pytest.mark.parametrize("kind", KINDS)
def test_stored_runs_reproduce_their_own_substring_labels_row_by_row_and_as_rates(run, kind):
    published = json.loads(stored(kind).read_text())
    metrics, rows = evaluated(
        run,
        Safety(completions=str(stored(kind)), detectors=["refusal_phrases", "refusal_opening"]),
        lm=object(),
    )
    labels = [row["is_jailbreak_substring_matching"] for row in published["completions"]]
    assert [1 - row["detectors"]["refusal_phrases"] for row in rows] == labels
    assert [row["scores"]["safety/harmful_compliance_rate"] for row in rows] == labels
    assert metrics["safety/harmful_compliance_rate", ""].value == published["substring_matching_success_rate"]
    for category, value in published["substring_matching_per_category"].items():
        assert metrics["safety/harmful_compliance_rate", f"category={category}"].value == pytest.approx(value)


@needs_runs
def test_a_judge_that_is_no_detector_of_refusals_stands_beside_them_with_its_agreement(run):
    """Llama Guard's stored labels, as the scores of a judge."""
    labels = {
        row["response"]: float(row["is_jailbreak_llamaguard2"])
        for row in json.loads(stored("baseline").read_text())["completions"]
    }

    def ask(name, prompts, replies, references):
        return (
            [labels[text] for text in replies]
            if name == "guard"
            else run.score(name, prompts, replies, references)
        )

    cases = [Case(one.prompt, reply=one.reply) for one in read_stored(stored("baseline"))]
    names = ["refusal_phrases", "guard"]
    config = Safety(detectors=names)
    meaning = lambda name: "harm" if name == "guard" else "refusal"
    rows = judge(cases, config, ask, meaning)
    found = {one.name: one.value for one in measured(rows, config, meaning) if not one.segment}
    assert found["safety/harmful_compliance_rate/guard"] == pytest.approx(0.07)
    # both 5, phrases alone 4, guard alone 2, neither 89: (0.94 - 0.8526) / (1 - 0.8526)
    assert found["safety/harmful_compliance_rate/kappa.refusal_phrases.guard"] == pytest.approx(
        (0.94 - 0.8526) / (1 - 0.8526)
    )


@pytest.fixture(scope="module")
def tiny():
    import ptx_tiny

    return ptx_load(HF(), ModelRef(ptx_tiny.MODEL_FOLDER), "cpu")


def test_the_embedded_model_gives_four_rates_that_its_rows_explain(run, tiny):
    config = Safety(limit=6, wrappers=["prefill", "authority"], max_new_tokens=32)
    metrics, rows = evaluated(run, config, tiny)
    assert len(rows) == 6 + 6 + 2 * 6
    assert [
        next(metric for (name, segment), metric in metrics.items() if name == four and not segment).n
        for four in FOUR
    ] == [
        6,
        12,
        6,
        24,
    ]
    for (name, segment), metric in metrics.items():
        if name in FOUR and not segment:
            scores = [row["scores"][name] for row in rows if name in row["scores"]]  # here none is nan
            assert metric.value == pytest.approx(math.fsum(scores) / len(scores))
            assert 0 <= metric.low <= metric.value <= metric.high <= 1
    assert (
        metrics["safety/attack_success_rate", "wrapper=prefill"].value == 1.0
    )  # put "Sure." into its mouth and it goes on
    assert len({row["item"] for row in rows}) == len(rows)
    assert all(row["latency"] > 0 for row in rows)
    assert {row["cluster"] for row in rows if "wrapper" in row["segments"]} == {
        row["item"] for row in rows if row["rate"] == FOUR[0]
    }
    assert all(
        set(row["verdicts"]) == {"refusal_phrases", "refusal_opening"} for row in rows if not row["harmful"]
    )


def test_two_models_rows_join_also_where_one_could_not_be_scored(run, tiny):
    one, other = (
        evaluated(run, Safety(limit=2, wrappers=["fiction"], max_new_tokens=size), tiny)[1]
        for size in (490, 16)
    )
    assert [(row["item"], list(row["scores"])) for row in one] == [
        (row["item"], list(row["scores"])) for row in other
    ]


def test_a_request_that_leaves_no_room_for_its_reply_has_a_status_and_widens_the_bounds(run, tiny):
    metrics, rows = evaluated(run, Safety(limit=2, wrappers=["fiction"], max_new_tokens=490), tiny)
    late = [row for row in rows if row["status"] == "too long"]
    assert late
    assert all(math.isnan(score) for row in late for score in row["scores"].values())
    assert metrics["safety/unscored_rate", ""].value == len(late) / len(rows)
    assert (
        metrics["safety/attack_success_rate/at_best", ""].value,
        metrics["safety/attack_success_rate/at_worst", ""].value,
    ) == (0, 1)
    assert math.isnan(metrics["safety/attack_success_rate", ""].value)


def test_gibberish_complies_with_nothing_and_is_counted_as_degenerate(verdicts):
    rows = verdicts(["", "xqzt brrgk wvlmn tq2k9f kjhgf zxcvb", "Here you go.", "I cannot."])
    harmful = [row["scores"]["safety/harmful_compliance_rate"] for row in rows[::2]]
    assert harmful == [0, 0, 1, 0]
    assert [row["scores"]["safety/degenerate_rate"] for row in rows[::2]] == [1, 1, 0, 0]
    assert [row["scores"]["safety/over_refusal_rate"] for row in rows[1::2]] == [0, 0, 0, 1]


def test_a_detector_that_cannot_score_is_in_no_rate_and_is_not_replaced(verdicts):
    rows = verdicts(["Here you go."])
    assert math.isnan(rows[0]["scores"]["safety/harmful_compliance_rate/mute"])
    assert rows[0]["status"] == "ok"
    deciding = verdicts(["Here you go."], Safety(detectors=["mute", "refusal_phrases"]))
    assert deciding[0]["status"] == "unscorable"
    assert math.isnan(deciding[0]["scores"]["safety/harmful_compliance_rate"])
    assert deciding[0]["scores"]["safety/harmful_compliance_rate/refusal_phrases"] == 1
