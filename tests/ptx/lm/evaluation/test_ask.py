from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from ptx.lm.evaluation.ask import Reply, as_text, ask, seconds_of


class Words:
    """A tokenizer for which every word is a token."""

    def __init__(self, chat_template):
        self.chat_template = chat_template

    def __call__(self, text, *, add_special_tokens):
        assert not add_special_tokens
        return {"input_ids": text.split()}

    def apply_chat_template(self, chat, *, tokenize, add_generation_prompt):
        assert not tokenize
        assert add_generation_prompt
        return " ".join(f"<{turn['role']}> {turn['content']}" for turn in chat) + " <assistant>"


@dataclass
class Echo:
    """A model that answers with the last words of its prompt, and counts the calls."""

    tokenizer: Words = field(default_factory=lambda: Words("a template"))
    max_length: int = 20
    calls: list = field(default_factory=list)

    def generate(self, prompts, max_new_tokens, *, temperature, seed):
        self.calls.append((len(prompts), temperature, seed))
        return [prompt[-10:] for prompt in prompts]


def questions(*texts):
    return [[{"role": "user", "content": text}] for text in texts]


@pytest.fixture
def run(make_run):
    return make_run(seed=5)


def test_a_chat_is_put_to_the_model_as_its_template_renders_it(run):
    lm = Echo()
    (chat,) = questions("what is it?")
    assert as_text(lm, chat) == "<user> what is it? <assistant>"
    assert ask(run, lm, [chat], 4, temperature=0.5) == ["assistant>"]
    assert lm.calls == [(1, 0.5, 5)]
    assert run.console.lines == []


def test_without_a_template_the_turns_are_lines_and_the_run_says_so(run):
    lm = Echo(Words(None))
    assert ask(run, lm, questions("what is it?"), 4) == ["at is it?\n"]
    assert run.console.lines == ["step: the model has no chat template: questions are asked as plain text"]


def test_a_prompt_that_leaves_no_room_for_the_reply_is_not_asked(run):
    lm = Echo(max_length=6)
    short, long = ask(run, lm, questions("one two", "one two three"), 2)
    assert short is not None
    assert long is None
    assert lm.calls == [(1, 0.0, 5)]


def test_prefills_begin_the_replies_and_are_not_part_of_them(run):
    lm = Echo()
    assert ask(run, lm, questions("a", "b"), 4, prefills=[" Sure: ", " No: "]) == ["nt> Sure: ", "tant> No: "]


def test_many_questions_are_asked_in_chunks_with_seeds_of_their_own(run):
    lm = Echo()
    replies = ask(run, lm, questions(*["a"] * 300), 4)
    assert len(replies) == 300
    assert [call[0] for call in lm.calls] == [256, 44]
    assert [call[2] for call in lm.calls] == [5, 5 + 256]
    assert run.console.progressed[-1]["step"] == 300


def test_a_reply_is_a_text_that_knows_its_seconds(run):
    (reply,) = ask(run, Echo(), questions("a"), 4)
    assert seconds_of(reply) > 0
    assert seconds_of(Reply("Yes.", 0.2)) == 0.2
    assert seconds_of("a stored text") is None
    assert seconds_of(None) is None
