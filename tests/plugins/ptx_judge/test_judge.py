"""The evaluation as a whole, on a runtime that reads its answers from a file; what is wrong is found
before.
"""

import json
import types
from dataclasses import dataclass

import pytest

import ptx_judge
from ptx import Choice, ModelRef, RunConfig, Runtime, Score, Scorer, StepError, hookimpl, setting
from ptx.store.store import Store
from ptx.testing import check_plugin
from ptx_judge import Endpoint, Judge, Local, Reward, Rule
from ptx_judge.command import played
from ptx_judge.ledger import Check, keep
from ptx_judge.rank import order
from ptx_judge.validate import problems


@dataclass
class Canned(Runtime):
    manner: str = setting("", "what stands before every answer")


@dataclass
class Packaged(Canned):
    exports = True


@dataclass
class Shorter(Scorer):
    """A stranger's judge that scores answers by themselves."""


@dataclass
class Moody(Scorer):
    """A judge that compares: it prefers the longer answer, says nothing sensible about "odd", and on "seat"
    takes whoever sits first.
    """

    compare: bool = setting(False, "compare")

    def comparing(self):
        return Moody(compare=True)


class Letters:
    chat_template = None

    def __call__(self, text, **_):
        return {"input_ids": list(text)}


class Answerer:
    max_length, emulated, tokenizer = 263, "", Letters()

    def __init__(self, answers, manner, log):
        self.answers, self.manner, self.log = answers, manner, log

    def generate(self, prompts, max_new_tokens, *, stop=(), temperature=0.0, seed=0):
        self.log.append(f"generate {self.answers.get('name')}")
        return [self.manner + self.answers.get(prompt, "I do not know") for prompt in prompts]

    def close(self):
        self.log.append(f"close {self.answers.get('name')}")


class Plugin:
    __name__ = "canned"

    def __init__(self):
        self.log = []

    @hookimpl
    def ptx_choices(self):
        return [
            Choice("runtime", "canned", Canned),
            Choice("runtime", "packaged", Packaged),
            Choice("scorer", "shorter", Shorter),
            Choice("scorer", "moody", Moody),
        ]

    @hookimpl
    def ptx_export(self, run, runtime, model):
        self.log.append("export")
        folder = run.folder / "package"
        folder.mkdir()
        answers = json.loads((model.path / "answers.json").read_text())
        (folder / "answers.json").write_text(json.dumps({**answers, "name": "package"}))
        return ModelRef.of(folder, "package")

    @hookimpl
    def ptx_load(self, runtime, model):
        assert model.kind == ("package" if runtime.exports else "full")
        return Answerer(json.loads((model.path / "answers.json").read_text()), runtime.manner, self.log)

    @hookimpl
    def ptx_score(self, scorer, prompts, completions, references):
        if isinstance(scorer, Shorter):
            return [-float(len(text)) for text in completions]
        if isinstance(scorer, Moody):
            self.log.append(f"asked {len(prompts)}")
            rows = zip(prompts, completions, references, strict=True)
            if not scorer.compare:
                return [
                    Score(float("nan"), "unparsable", "hm") if "odd" in prompt else 5.0 + len(text) % 3
                    for prompt, text, _ in rows
                ]
            return [self.prefer(*row) for row in rows]
        return None

    def prefer(self, prompt, one, other):
        if "odd" in prompt and one.startswith("bb"):
            return Score(float("nan"), "unparsable", "I like both.")
        return Score(
            1.0 if "seat" in prompt or len(one) > len(other) else 0.0, "ok", f"between {one} and {other}"
        )


QUESTIONS = [
    {"prompt": "longer?", "answer": "bb", "category": "x"},
    {"prompt": "shorter?", "answer": "bbbb", "category": "x"},
    {"prompt": "seat?", "category": "y"},
    {"prompt": "odd?", "category": "y"},
    {"prompt": "same?", "category": "y"},
]
BASE = {"name": "base", "longer?": "a", "shorter?": "aaaaaa", "seat?": "aa", "odd?": "a", "same?": "cc"}
TUNED = {"name": "tuned", "longer?": "bb", "shorter?": "bbb", "seat?": "bb", "odd?": "bbb", "same?": "cc"}


@pytest.fixture
def scene(tmp_path, make_run):
    """A base and a tuned model, questions, and ``judged(scorer, ...)``, which evaluates the tuned one."""
    made = types.SimpleNamespace(plugin=Plugin(), store=Store(tmp_path / "store"), count=0)
    for name, answers in (("base", BASE), ("tuned", TUNED)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "answers.json").write_text(json.dumps(answers))
        setattr(made, name, ModelRef.of(tmp_path / name))
    made.questions = tmp_path / "questions.jsonl"
    made.questions.write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS))

    def judged(scorer, runtime=None, model=None, **settings):
        made.count += 1
        config = RunConfig(runtime=runtime or Canned(), scorer={"it": scorer})
        run = make_run(config, [ptx_judge, made.plugin], name=f"step{made.count}").at(store=made.store)
        evaluator = Judge(**{"tasks": [str(made.questions)], "scorer": "it", **settings})
        model = model or made.tuned
        lm = run.host.first("ptx_load", runtime=run.config.runtime, model=model, device="cpu")
        made.said, made.run = run.console.lines, run
        found = run.host.first(
            "ptx_evaluate", run=run, evaluator=evaluator, model=model, lm=lm, baseline=made.base
        )
        made.rows = {row["prompt"]: row for row in found.rows}
        return {(metric.name, metric.segment): metric for metric in found.metrics}

    made.judged = judged
    return made


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_judge")


def test_both_orders_are_asked_and_equal_answers_are_not(scene):
    found = scene.judged(Moody())
    assert "asked 8" in scene.plugin.log  # four pairs differ
    name = "judge/win_rate_unchecked"
    values = {prompt: row["scores"][name] for prompt, row in scene.rows.items()}
    assert values == {"longer?": 1.0, "shorter?": 0.0, "seat?": 0.5, "odd?": None, "same?": 0.5}
    assert scene.rows["odd?"]["status"] == "unparsable"
    assert scene.rows["odd?"]["said"] == ["I like both.", "between a and bbb"]
    assert found[name, ""].value == 0.5
    assert found[name, ""].n == 4
    assert found[f"{name}/consistency", ""].value == pytest.approx(2 / 3)
    assert found[f"{name}/unparsable", ""].value == 0.2
    # of the odd question one order is known, and it says that the longer answer, ours, is better
    assert (found[f"{name}/worst_case", ""].value, found[f"{name}/best_case", ""].value) == (0.5, 0.6)
    assert found[name, "category=x"].value == 0.5


def test_the_baseline_answers_once_for_all_that_are_held_against_it(scene):
    scene.judged(Rule())
    scene.judged(Moody())
    assert scene.plugin.log.count("generate base") == 1
    assert scene.plugin.log.count("generate tuned") == 1
    assert all(
        row["latency"] > 0 for row in scene.rows.values()
    )  # also where the answers came from the store
    scene.judged(Rule(), max_new_tokens=7)
    scene.judged(Rule(), runtime=Canned(manner="so: "))
    assert scene.plugin.log.count("generate base") == 3
    assert scene.rows["longer?"]["target"] == "so: a"  # on the runtime of the run, set as the run's is


def test_the_baseline_of_a_runtime_with_packages_is_exported_first(scene):
    run_made = scene.base.path.parent / "made"
    run_made.mkdir()
    (run_made / "answers.json").write_text(json.dumps({**TUNED, "name": "tuned package"}))
    scene.judged(Rule(), runtime=Packaged(), model=ModelRef.of(run_made, "package"))
    scene.judged(Moody(), runtime=Packaged(), model=ModelRef.of(run_made, "package"))
    assert scene.plugin.log.count("export") == 1
    assert scene.plugin.log.count("generate package") == 1
    assert scene.rows["longer?"]["target"] == "a"


def test_a_question_that_is_cut_is_told(scene):
    scene.judged(Rule())
    assert any("1 questions are longer than the 7 tokens" in line for line in scene.said)  # "shorter?"


def test_every_two_runs_are_asked_about_in_both_orders(scene):
    runs = {}
    for name in ("base", "tuned"):
        scene.judged(Moody(), model=getattr(scene, name))
        runs[name] = {row["item"]: row for row in scene.rows.values()}
    runs["third"] = {item: {**row, "output": "dddddddd"} for item, row in runs["base"].items()}
    scene.plugin.log.clear()
    rounds = played(scene.run, Judge(scorer="it"), runs)
    assert scene.plugin.log == ["asked 8", "asked 10", "asked 10"]
    texts = {row["item"]: prompt for prompt, row in scene.rows.items()}
    found = {(game["a"], game["b"], texts[game["item"]]): game["outcome"] for game in rounds}
    assert found["base", "tuned", "longer?"] == 0.0
    assert found["base", "tuned", "odd?"] is None
    assert found["base", "third", "same?"] == 0.0
    assert found["tuned", "third", "seat?"] == 0.5
    assert (
        order([*rounds, {"item": "x", "a": "third", "b": "base", "outcome": 0.0}], list(runs))[0][0]
        == "third"
    )


def test_a_model_held_against_itself_is_half_and_says_what_to_type(scene):
    found = scene.judged(Rule(), model=scene.base)
    assert found["judge/win_rate_unchecked", ""].value == 0.5
    assert any("eval.judge.against=./" in line for line in scene.said)


def test_without_a_step_the_references_are_to_beat_and_with_one_the_model_as_it_came(tmp_path):
    for name, rows in (
        ("with", [{"prompt": "2 + 2?", "reference": "4"}]),
        ("without", [{"prompt": "2 + 2?"}]),
    ):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    known, unknown = Judge([str(tmp_path / "with.jsonl")]), Judge([str(tmp_path / "without.jsonl")])
    assert known.resolved(RunConfig()).against == "references"
    assert unknown.resolved(RunConfig()).against == "baseline"
    assert known.resolved(RunConfig(compress={"any": Canned()})).against == "baseline"
    assert Judge(known.tasks, against="baseline").resolved(RunConfig()).against == "baseline"


def test_a_model_can_be_held_against_any_folder(scene):
    (scene.tuned.path / "config.json").write_text("{}")
    found = scene.judged(Shorter(), model=scene.base, against=str(scene.tuned.path))
    assert scene.rows["longer?"]["scores"]["judge/win_rate_unchecked"] == 1.0
    assert found["judge/win_rate_unchecked", ""].n == 5


def test_references_can_be_the_ones_to_beat(scene):
    found = scene.judged(Shorter(), against="references")
    assert {prompt: row["target"] for prompt, row in scene.rows.items()} == {
        "longer?": "bb",
        "shorter?": "bbbb",
    }
    assert found["judge/win_rate_unchecked", ""].value == 0.75  # the same once, shorter once


def test_any_scorer_is_a_judge_by_comparing_its_scores(scene):
    found = scene.judged(Shorter(), margin=1.0)
    assert found["judge/win_rate_unchecked/consistency", ""].value == 1.0
    values = {prompt: row["scores"]["judge/win_rate_unchecked"] for prompt, row in scene.rows.items()}
    assert values == {"longer?": 0.5, "shorter?": 1.0, "seat?": 0.5, "odd?": 0.0, "same?": 0.5}
    assert found["judge/score", ""].value == pytest.approx(-(2 + 3 + 2 + 3 + 2) / 5)


def test_grades_stand_beside_the_win_rate(scene):
    found = scene.judged(Moody(), grade=True)
    assert found["judge/score", ""].n == 4
    assert found["judge/score/unparsable", ""].value == 0.2
    assert scene.rows["odd?"]["scores"]["judge/score"] is None


def check_of(scorer, kappa, margin=0.0):
    keep(
        "it",
        scorer,
        Check("it", kappa, kappa - 0.05, kappa + 0.05, 0.9, 999, 0, 0.9, margin, "people.json", ""),
    )


def test_a_checked_judge_s_win_rate_has_the_plain_name_and_says_its_kappa(scene):
    check_of(Moody(), 0.7)
    found = scene.judged(Moody())
    assert found["judge/win_rate/kappa", ""].value == 0.7
    assert found["judge/win_rate/kappa", ""].n == 999
    assert not [name for name, _ in found if "unchecked" in name]


def test_a_kappa_below_the_bound_keeps_the_mark(scene):
    check_of(Moody(), 0.5)
    found = scene.judged(Moody())
    assert found["judge/win_rate_unchecked/kappa", ""].value == 0.5
    assert any("agrees too little" in line and "wanted 0.6" in line for line in scene.said)
    assert ("judge/win_rate", "") in scene.judged(Moody(), min_kappa=0.4)


def test_a_check_is_of_one_judge_and_not_of_another(scene):
    check_of(Rule(words=50), 0.9)
    assert ("judge/win_rate_unchecked", "") in scene.judged(Rule())
    assert ("judge/win_rate", "") in scene.judged(Rule(words=50))
    assert ("judge/win_rate_unchecked", "") in scene.judged(Rule(words=50), margin=0.5)


def test_a_check_is_part_of_an_evaluation_s_key(scene):
    evaluator = Judge(tasks=[str(scene.questions)], scorer="it")
    before = evaluator.inputs()
    check_of(Moody(), 0.7)
    assert len(evaluator.inputs()) == len(before) + 1


def test_a_judge_without_any_verdict_is_an_error(scene):
    scene.questions.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in ("odd?", "same?")))
    with pytest.raises(
        StepError, match=r"no verdict on any of 1 pairs of answers; the first is unparsable: 'I like both.'"
    ):
        scene.judged(Moody())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"against": "nobody"}, "eval.judge.against must be auto, baseline, references or a model folder"),
        ({"limit": 0}, "eval.judge.limit must be at least 1, got 0"),
        ({"min_kappa": 2}, "eval.judge.min_kappa must lie between -1 and 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        Judge(**settings)


def test_an_address_with_a_password_is_refused():
    with pytest.raises(ValueError, match="must hold no key or password"):
        Endpoint(base_url="http://me:secret@host/v1")


def test_everything_wrong_with_a_judge_is_told_at_once(scene):
    judge = Judge(tasks=["nowhere.jsonl"], scorer="it")
    found = [
        str(one)
        for one in problems(
            RunConfig(eval={"judge": judge}, scorer={"it": Endpoint(pair_rubric="none", key_env="NO_KEY")})
        )
    ]
    assert len(found) == 5
    for part in (
        "nowhere.jsonl",
        "no rubric 'none'",
        "base_url must be",
        "model must name",
        "NO_KEY holds no key",
    ):
        assert any(part in text for text in found), part


def test_judges_by_folder_need_one_and_nobody_s_settings_matter_when_not_asked(scene):
    judge = Judge(tasks=[str(scene.questions)], scorer="it")
    for scorer in (Local(), Reward(model="nowhere")):
        (found,) = problems(RunConfig(eval={"judge": judge}, scorer={"it": scorer, "other": Endpoint()}))
        assert "must be a model folder" in str(found)


@pytest.mark.parametrize(
    ("settings", "said"), [({"runtime": "hff"}, "did you mean 'hf'"), ({"options": {"dtyp": "x"}}, "dtyp")]
)
def test_a_judge_s_runtime_is_checked(scene, settings, said):
    (scene.base.path / "config.json").write_text("{}")
    judge = Judge(tasks=[str(scene.questions)], scorer="it")
    (found,) = problems(
        RunConfig(eval={"judge": judge}, scorer={"it": Local(model=str(scene.base.path), **settings)})
    )
    assert said in str(found)


def test_references_that_are_not_there_are_told(scene):
    scene.questions.write_text(json.dumps({"prompt": "Why?"}) + "\n")
    judge = Judge(tasks=[str(scene.questions)], scorer="it", against="references")
    assert "none of the 1 questions has a reference" in str(
        problems(RunConfig(eval={"judge": judge}, scorer={"it": Rule()}))[0]
    )
