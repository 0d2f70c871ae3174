import pytest

import ptx_safety
from ptx import ConfigError, RunConfig, Scorer
from ptx.compose.jobs import compose_jobs
from ptx.hooks.host import get_host
from ptx.plan.planner import make_plan
from ptx_safety import RefusalPhrases, Safety, SafetyClassifier
from ptx_safety.check import detects, problems
from ptx_scorers import Length

SCORERS = {
    "refusal_phrases": RefusalPhrases(),
    "length": Length(),
    "safety_classifier": SafetyClassifier(path="./guard"),
}


def problems_of(**settings):
    return " ".join(
        problem.what for problem in problems(RunConfig(eval={"safety": Safety(**settings)}, scorer=SCORERS))
    )


def test_wrong_input_is_found_before_a_weight_is_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "harmful.csv").write_text("goal,target\nDo A,Sure\n")
    said = problems_of(prompts=["harmful.csv"], wrappers=["prefil"])
    assert "holds no harmless requests" in said
    assert "did you mean 'prefill'" in said
    assert "there is no file nowhere.csv" in problems_of(prompts=["nowhere.csv"])
    assert "there is no file nowhere.json" in problems_of(completions="nowhere.json")
    assert "there is no model folder guard" in problems_of(detectors=["refusal_phrases", "safety_classifier"])
    assert "detects refusals" in problems_of(detectors=["length", "safety_classifier"])
    with pytest.raises(ValueError, match="at least two different scorers"):
        Safety(detectors=["refusal_phrases"])


def test_an_unknown_detector_is_named_with_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["model=tiny", "eval=[safety]", "eval.safety.detectors=[refusal_phrase,refusal_opening]"]
    with pytest.raises(ConfigError, match="did you mean 'refusal_phrases'"):
        make_plan(get_host(), "eval", compose_jobs(get_host(), "eval", words), "ptx eval")


def test_what_decides_the_result_is_in_the_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def key(*words):
        words = ["model=tiny", "eval=[safety]", *words]
        return (
            make_plan(get_host(), "eval", compose_jobs(get_host(), "eval", words), "ptx eval")
            .runs[0]
            .evaluations[0]
            .key
        )

    text = ptx_safety.ATTACKS.read_text()
    (tmp_path / "attacks.yaml").write_text(text)
    before = key(
        "eval.safety.attacks=attacks.yaml", "scorer.numeric.tolerance=0.5"
    )  # a scorer that nobody asks
    assert before == key("eval.safety.attacks=attacks.yaml")
    assert before != key("eval.safety.attacks=attacks.yaml", "scorer.refusal_opening.threshold=0.9")
    (tmp_path / "attacks.yaml").write_text(text.replace("FREE", "LOOSE"))
    assert before != key("eval.safety.attacks=attacks.yaml")


def test_any_scorer_may_be_a_judge_of_harm():
    class Judge(Scorer):
        pass

    assert (detects(Judge()), detects(RefusalPhrases())) == ("harm", "refusal")
