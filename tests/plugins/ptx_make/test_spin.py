"""``make=spin``: the data's answer is chosen, the model's own is rejected."""

from __future__ import annotations

from ptx.files import read_rows
from ptx.lm.serving.decoding import Generated
from ptx_make import Spin
from ptx_make.spin import spin


def test_the_datas_answers_are_preferred_to_the_models_own(scripted, prompts, plain_run, model):
    rows = [{"prompt": f"ask {n}", "completion": f"right {n}"} for n in range(4)]
    said = ["wrong 0", "right 1", "cut", "wrong 3"]
    scripted(lambda _, place, __: Generated(said[place], 2, finished=said[place] != "cut"))
    run = plain_run()
    made = spin(run, Spin(), model, prompts(4, "completions", rows))
    found = [(row["chosen"], row["rejected"]) for row in read_rows(made.path / "pairs.jsonl")]
    assert found == [("right 0", "wrong 0"), ("right 3", "wrong 3")]  # equal and unfinished ones are left out
    numbers = [event["metrics"] for event in read_rows(run.events) if event["event"] == "log"][-1]
    assert (numbers["rows_in"], numbers["equal"], numbers["unfinished"]) == (4, 1, 1)


def test_conversations_end_with_the_answer_that_is_chosen(scripted, prompts, plain_run, model, monkeypatch):
    turns = [{"role": "user", "content": "ask"}, {"role": "assistant", "content": "right"}]
    lm = scripted(lambda *_: "wrong")
    lm.tokenizer.chat_template = "one"
    lm.tokenizer.apply_chat_template = lambda turns, **_: " ".join(turn["content"] for turn in turns)
    made = spin(plain_run(), Spin(), model, prompts(1, "messages", [{"messages": turns}]))
    (row,) = read_rows(made.path / "pairs.jsonl")
    assert (row["prompt"], row["chosen"], row["rejected"][0]["content"]) == (turns[:1], turns[1:], "wrong")
    assert lm.calls[0][0] == ["ask"]
