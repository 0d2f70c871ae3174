"""``make=label``: what is judged, which rows stay, and what it says of the judge."""

from __future__ import annotations

import types
from dataclasses import dataclass

import pytest

import ptx_label
from ptx import Choice, ConfigError, Scorer, SettingError, hookimpl
from ptx.files import read_rows
from ptx.lm.serving.decoding import Generated
from ptx.testing import check_plugin
from ptx_label import Label
from ptx_label.label import label
from tests.making import numbers_of


@dataclass
class Longer(Scorer):
    """Prefers the longer answer; ``biased``: the one that it is shown first."""

    bounds = (0.0, 10.0)
    biased: bool = False
    compare: bool = False

    def comparing(self):
        return Longer(self.biased, compare=True)


def plugin():
    module = types.ModuleType("judging")

    @hookimpl
    def ptx_choices():
        return [Choice("scorer", "longer", Longer, "prefers the longer answer")]

    @hookimpl
    def ptx_score(scorer, completions, references):
        if not isinstance(scorer, Longer):
            return None
        if not scorer.compare:
            return [float(len(text)) for text in completions]
        pairs = zip(completions, references, strict=True)
        return [1.0 if scorer.biased else (len(a) > len(b)) + (len(a) == len(b)) / 2 for a, b in pairs]

    module.ptx_choices, module.ptx_score = ptx_choices, ptx_score
    return module


@pytest.fixture
def judged(plain_run, model):
    """``judged(maker, data, **judge)``: the rows that are made, and the numbers."""

    def make(maker, data, **judge):
        run = plain_run(plugins=[plugin()], longer=Longer(**judge))
        made = label(run, maker, model, data)
        shape = maker.kept(data.require(maker.needs, "x"))
        return [*read_rows(made.path / f"{shape}.jsonl")], numbers_of(run)

    return make


PAIRS = [
    {"prompt": "p", "chosen": "longer one", "rejected": "short", "score_chosen": 1},
    {"prompt": "q", "chosen": "a", "rejected": "longer", "score_chosen": 1, "score_rejected": 2},
    {"prompt": "r", "chosen": "xx", "rejected": "yy"},
]


def test_pairs_of_the_data_that_the_judge_contradicts_are_dropped_or_turned(judged, prompts):
    data = prompts(3, "pairs", PAIRS)
    rows, numbers = judged(Label(scorer="longer"), data)
    assert rows == PAIRS[:1]
    assert (numbers["rows_in"], numbers["ties"], numbers["agreement"]) == (3, 1, 0.5)
    assert (numbers["consistency"], numbers["kappa"]) == (1, 1)
    turned, _ = judged(Label(scorer="longer", disagree="turn"), data)
    want = {"prompt": "q", "chosen": "longer", "rejected": "a", "score_chosen": 2, "score_rejected": 1}
    assert turned == [PAIRS[0], want]


def test_a_judge_that_follows_the_position_leaves_no_pair(judged, prompts):
    rows, numbers = judged(Label(scorer="longer"), prompts(3, "pairs", PAIRS), biased=True)
    assert (rows, numbers["consistency"]) == ([], 0)
    assert numbers["label_kappa"] == 0  # it agrees with the data by chance only
    assert "kappa" not in numbers or numbers["kappa"] <= 0


def test_two_answers_of_the_model_are_compared(judged, prompts, scripted):
    said = ["long answer", "same", "cut", "short", "b", "same", "x", "much longer"]
    scripted(lambda _, place, __: Generated(said[place], 2, finished=said[place] != "cut"))
    rows, numbers = judged(Label(scorer="longer", of="prompts"), prompts(4))
    found = [(row["prompt"], row["chosen"], row["rejected"]) for row in rows]
    assert found == [("ask 0", "long answer", "b"), ("ask 3", "much longer", "short")]
    assert (numbers["unfinished"], numbers["same"], numbers["tokens"]) == (1, 1, 16)
    assert rows[0]["answer"] == "0"


@pytest.mark.parametrize("shape", ["completions", "messages"])
def test_the_data_s_answer_is_compared_with_the_model_s(judged, prompts, scripted, shape):
    if shape == "completions":
        rows = [{"prompt": f"ask {n}", "completion": "word " * n} for n in (1, 3)]
    else:
        turns = [[("user", "ask"), ("assistant", "word " * n)] for n in (1, 3)]
        rows = [{"messages": [{"role": role, "content": text} for role, text in some]} for some in turns]
    lm = scripted(lambda *_: "eight ch")
    lm.tokenizer.chat_template = "one"
    lm.tokenizer.apply_chat_template = lambda turns, **_: turns[-1]["content"]
    made, _ = judged(Label(scorer="longer", of=shape), prompts(2, shape, rows))
    text = lambda side: side if isinstance(side, str) else side[-1]["content"]
    assert [text(row["chosen"]).strip() for row in made] == ["eight ch", "word word word"]


def test_thumbs_that_the_judge_contradicts_are_dropped_or_turned(judged, prompts):
    rows = [
        {"prompt": "p", "completion": "a long answer", "label": True},
        {"prompt": "q", "completion": "short", "label": True},
        {"prompt": "r", "completion": "no", "label": False},
    ]
    data = prompts(3, "thumbs", rows)
    kept, numbers = judged(Label(scorer="longer"), data)  # the middle of its scale is 5
    assert [row["prompt"] for row in kept] == ["p", "r"]
    assert numbers["agreement"] == pytest.approx(2 / 3)
    turned, _ = judged(Label(scorer="longer", disagree="turn"), data)
    assert [row["label"] for row in turned] == [True, False, False]


def test_every_answer_of_the_data_gets_a_thumb_by_itself(judged, prompts, scripted):
    rows, numbers = judged(Label(scorer="longer", keep="thumbs", above=4.5), prompts(3, "pairs", PAIRS))
    assert [(row["completion"], row["label"]) for row in rows[:3]] == [
        ("longer one", True),
        ("short", True),
        ("a", False),
    ]
    assert (len(rows), numbers["good"]) == (6, 0.5)
    scripted(lambda *_: "own answer")
    own, _ = judged(Label(scorer="longer", of="prompts", keep="thumbs"), prompts(2))
    assert [(row["completion"], row["label"], row["score"]) for row in own] == [("own answer", True, 10)] * 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"of": "rows"}, "make.of must be one of pairs, thumbs, prompts"),
        ({"keep": "messages"}, "make.keep must be one of pairs, thumbs"),
        ({"disagree": "flip"}, "make.disagree must be one of drop, turn"),
        ({"margin": -1}, "make.margin must be at least 0"),
        ({"of": "prompts", "temperature": 0}, "both would be equal"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, message):
    with pytest.raises(SettingError, match=message):
        Label(**given)


def test_what_is_made_is_known_before():
    assert Label().gives("pairs") == Label().gives("prompts") == ("pairs",)
    assert Label().gives("thumbs") == ("thumbs",)
    with pytest.raises(ConfigError, match="thumbs have one each"):
        Label(keep="pairs").gives("thumbs")
    assert [Label(of=of).opens_model() for of in ("pairs", "thumbs", "prompts", "messages")] == [
        False,
        False,
        True,
        True,
    ]


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_label")
    assert ptx_label.ptx_choices()[0].name == "label"
