"""``make=sample``: the numbers that it reports, its seeds, and that a killed step writes the same file."""

from __future__ import annotations

import math

import pytest

from ptx import ModelRef, RunConfig
from ptx.files import read_rows
from ptx.lm.serving.decoding import Generated
from ptx.store.store import Store
from ptx_distill import Sequence
from ptx_distill.answers import answer_prompts
from ptx_make import Sample
from ptx_make.sample import sample
from tests.making import numbers_of

TURNS = [
    {"role": "user", "content": "What is 3 + 4?"},
    {"role": "assistant", "content": "The answer is 7."},
    {"role": "user", "content": "And what is 12 + 5?"},
]
ROWS = [
    *({"prompt": f"What is {a} + {b}?"} for a, b in ((3, 4), (21, 8), (50, 17), (6, 6))),
    {"prompt": "Which is larger: 12 or 21?"},
    {"prompt": "¿Cuánto es 8 + 9?"},
    {"prompt": TURNS},
]


def test_the_report_counts_answers_scores_and_what_was_left_out(scripted, prompts, plain_run, model):
    # the first answers of all prompts, then the second ones; the right ones are 0, 1, 2 and 3
    texts = ["0", "5", "2", "9", "0", "1", "cut", ""]
    lm = scripted(lambda _, place, __: Generated(texts[place], 2, finished=texts[place] != "cut"))
    run = plain_run()
    made = sample(run, Sample(n=2, chunk=9), model, prompts(4))
    rows = [row["messages"][-1]["content"] for row in read_rows(made.path / "messages.jsonl")]
    assert rows == ["0", "1", "2"]
    found = numbers_of(run)
    assert (found["rows_in"], found["acceptance"], found["answers"]) == (4, 0.75, 8)
    assert (found["unfinished"], found["tokens"]) == (1, 16)
    assert found["best_score"] == 0.75
    assert lm.closed == 1


def test_rows_are_the_same_after_a_kill(scripted, prompts, plain_run, model):
    data, maker = prompts(10), Sample(n=4, chunk=3, keep="pairs")
    scripted()
    whole = sample(plain_run(), maker, model, data)
    run = plain_run()
    lm = scripted()
    answers = lm.generate

    def dies(*given, **named):
        if len(lm.calls) == 2:
            raise KeyboardInterrupt
        return answers(*given, **named)

    lm.generate = dies
    with pytest.raises(KeyboardInterrupt):
        sample(run, maker, model, data)
    lm = scripted()
    again = sample(run, maker, model, data)
    assert len(lm.calls) == 2  # of four chunks two were done
    assert (again.path / "pairs.jsonl").read_bytes() == (whole.path / "pairs.jsonl").read_bytes()


def test_the_first_answers_are_those_of_a_smaller_n_so_the_best_score_never_falls(
    scripted, prompts, plain_run, model
):
    scripted(lambda prompt, place, seed: str(hash((seed, place)) % 7))
    firsts, best = [], []
    for n in (1, 2, 4, 8):
        run, first = plain_run(), Sample(n=n, chunk=4, scorer=None)
        made = sample(plain_run(), first, model, prompts(10))
        firsts.append([row["messages"][-1]["content"] for row in read_rows(made.path / "messages.jsonl")])
        sample(run, Sample(n=n, chunk=4), model, prompts(10))
        best.append(numbers_of(run)["best_score"])
    assert firsts == [firsts[0]] * 4
    assert best == sorted(best)
    assert best[0] < best[-1]


def test_the_divergence_of_the_best_answers_has_a_bound(scripted, prompts, plain_run, model):
    run = plain_run()
    scripted()
    sample(run, Sample(n=4), model, prompts(10))
    assert numbers_of(run)["kl_bound"] == pytest.approx(math.log(4) - 3 / 4)


def test_another_seed_draws_other_answers(scripted, prompts, plain_run, model):
    data, maker = prompts(10), Sample(n=1, scorer=None)
    lm = scripted()
    for seed in (0, 1):
        sample(plain_run(seed), maker, model, data)
    assert lm.calls[0][0] == lm.calls[1][0]
    assert lm.calls[0][2] != lm.calls[1][2]


def test_a_teacher_answers_in_place_of_the_model(scripted, prompts, plain_run, model):
    maker = Sample(n=1, temperature=0, scorer=None, model="start")
    assert maker.models({}) == {"model": "start"}
    lm = scripted(lambda prompt, *_: f"said of {prompt}")
    run = plain_run()
    made = sample(run.at(models={"model": model}), maker, model, prompts(3))
    rows = [*read_rows(made.path / "messages.jsonl")]
    assert [row["messages"][-1]["content"] for row in rows] == [f"said of ask {n}" for n in range(3)]
    assert "score" not in rows[0]
    assert lm.calls[0][1] == 0


def conversation(row):
    """A row of messages, or of prompt and completion, as its turns."""
    if "messages" in row:
        return row["messages"]
    turns = row["prompt"]
    reply = row["completion"]
    turns = [{"role": "user", "content": turns}] if isinstance(turns, str) else turns
    return [*turns, *([{"role": "assistant", "content": reply}] if isinstance(reply, str) else reply)]


def test_one_greedy_answer_is_what_distillation_learns(prompts, plain_run, tiny_model, tmp_path, make_run):
    model, data = ModelRef.of(tiny_model), prompts(rows=ROWS)
    for most in (32, 6):  # the second leaves out what does not end
        run = make_run(RunConfig(), [], f"taught-{most}").at(store=Store(tmp_path / f"store-{most}"))
        taught = answer_prompts(run, Sequence(max_new_tokens=most), model, data.rows("prompts"))
        greedy = Sample(n=1, temperature=0, scorer=None, max_new_tokens=most)
        made = sample(plain_run(), greedy, model, data)
        drawn = [*read_rows(made.path / "messages.jsonl")]
        assert [conversation(row) for row in drawn] == [conversation(row) for row in taught]
        assert (len(drawn) == len(ROWS)) == (most == 32)
