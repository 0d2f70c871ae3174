"""``make=instruct``: new instructions only, the same ones after a kill, and Magpie on the embedded model."""

from __future__ import annotations

import itertools

import pytest

from ptx import RunConfig, SettingError
from ptx.files import read_rows
from ptx.lm.serving.decoding import Generated
from ptx.testing import check_plugin
from ptx_instruct import Instruct, ptx_validate
from ptx_instruct.instruct import distinct, instruct
from ptx_instruct.rouge import rouge_l, words_of
from tests.making import numbers_of

WORDS = ["red", "blue", "old", "new", "big", "small", "river", "hill", "cat", "song", "moon", "tree"]


def drawn(seed, place):
    """Five words that follow from the seed and the place."""
    return " ".join(WORDS[(seed // 7**k + place * (k + 1)) % len(WORDS)] for k in range(5))


def made_of(run, maker, model, data=None):
    made = instruct(run, maker, model, data)
    return [*read_rows(made.path / f"{maker.keep}.jsonl")], numbers_of(run)


def test_magpie_writes_what_a_user_would_say_and_answers_it(scripted, plain_run, model):
    lm = scripted(
        lambda prompt, place, seed: drawn(seed, place) if prompt == "[user] " else "said", chat=True
    )
    run = plain_run()
    rows, numbers = made_of(run, Instruct(count=10, chunk=8), model)
    assert (len(rows), numbers["asked"] >= 10) == (10, True)
    assert all(row["messages"][1]["content"] == "said" for row in rows)
    asked = [words_of(row["messages"][0]["content"]) for row in rows]
    assert all(rouge_l(one, other) <= 0.7 for one, other in itertools.combinations(asked, 2))
    assert lm.calls[-1][1] == 0  # answers are greedy


def test_what_is_left_out_is_counted_by_its_reason(scripted, plain_run, model):
    said = [
        "name a red fruit",
        "Name a red fruit!",
        "name a very red fruit",
        "cut",
        "a [end] b",
        "",
        "say hello",
    ]
    scripted(lambda _, place, __: Generated(said[place], 1, finished=said[place] != "cut"), chat=True)
    run = plain_run()
    rows, numbers = made_of(run, Instruct(count=7, tries=1, keep="prompts"), model)
    assert [row["prompt"] for row in rows] == ["name a red fruit", "a [end] b", "say hello"]
    found = {name: numbers[name] for name in ("asked", "duplicates", "near", "unfinished", "unfit")}
    assert found == {"asked": 7, "duplicates": 1, "near": 1, "unfinished": 1, "unfit": 1}
    assert any("3 of 7 instructions are new" in line for line in run.console.lines)


@pytest.mark.parametrize("by", ["magpie", "self_instruct", "evol"])
def test_rows_are_the_same_after_a_kill(scripted, prompts, plain_run, model, by):
    data = prompts(9, rows=[{"prompt": f"{drawn(n * 31, n)} {n}", "answer": "x"} for n in range(9)])
    maker = Instruct(by=by, count=12, chunk=4, keep="prompts", rounds=2, temperature=1.0)
    script = lambda prompt, place, seed: f"{drawn(seed + len(prompt), place)} {drawn(seed, place + 3)}"
    scripted(script, chat=True)
    whole = made_of(plain_run(), maker, model, data)[0]
    run, lm = plain_run(), scripted(script, chat=True)
    answers = lm.generate

    def dies(*given, **named):
        if len(lm.calls) == 2:
            raise KeyboardInterrupt
        return answers(*given, **named)

    lm.generate = dies
    with pytest.raises(KeyboardInterrupt):
        made_of(run, maker, model, data)
    scripted(script, chat=True)
    assert made_of(run, maker, model, data)[0] == whole
    assert len(whole) > 4


def test_self_instruct_shows_instructions_of_the_data_and_then_its_own(scripted, prompts, plain_run, model):
    data = prompts(9, rows=[{"prompt": f"given {n} {drawn(n, n)}", "answer": "x"} for n in range(9)])
    lm = scripted(lambda prompt, place, seed: f"own {drawn(seed, place)} {seed % 97}")
    rows, numbers = made_of(
        plain_run(), Instruct(by="self_instruct", count=8, chunk=4, keep="prompts"), model, data
    )
    assert lm.calls[0][0][0].count("given") == 8
    assert ["own " in lm.calls[place][0][0] for place in (0, -1)] == [False, True]
    assert (len(rows), numbers["rows_in"]) == (8, 9)


def test_evol_rewrites_the_latest_text_and_goes_on_from_the_last_good_one(
    scripted, prompts, plain_run, model
):
    data = prompts(2, rows=[{"prompt": f"tell me {word}", "answer": "x"} for word in ("red", "blue")])

    def reply(prompt, place, seed):
        task = prompt.split("Task: ")[1].split("\nNew task:")[0]
        return "the rewritten prompt" if "blue" in task else f"New task: {task} and why so"

    scripted(reply)
    rows, numbers = made_of(plain_run(), Instruct(by="evol", rounds=2, keep="prompts"), model, data)
    assert [row["prompt"] for row in rows] == ["tell me red and why so", "tell me red and why so and why so"]
    assert numbers["unfit"] == 2


def test_distinct_is_the_share_of_different_pairs_of_words():
    assert distinct(["a b c", "a b d"]) == 0.75
    assert distinct([]) == 1.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"by": "magic"}, "make.by must be one of magpie, self_instruct, evol"),
        ({"rouge": 0}, "make.rouge must be above 0"),
        ({"count": 0}, "make.count must be at least 1"),
        ({"temperature": 0}, "all instructions would be equal"),
        ({"keep": "pairs"}, "make.keep must be one of messages, prompts"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, message):
    with pytest.raises(SettingError, match=message):
        Instruct(**given)


def test_magpie_reads_no_data_and_needs_a_chat_template(plain_model, chat_model):
    assert (Instruct().needs, Instruct(by="evol").needs) == ((), ("prompts",))
    assert Instruct(keep="prompts").gives("") == ("prompts",)
    config = RunConfig(make=Instruct())
    assert "no chat template" in str(ptx_validate(config, plain_model)[0])
    assert ptx_validate(config, chat_model) == []


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_instruct")


@pytest.mark.slow  # the embedded model writes
def test_magpie_gets_real_questions_out_of_the_embedded_model(plain_run, model):
    rows, numbers = made_of(
        plain_run(), Instruct(count=6, chunk=12, keep="prompts", max_new_tokens=32), model
    )
    assert len(rows) >= 4
    assert numbers["broken"] == 0
    assert all("<|" not in row["prompt"] for row in rows)
