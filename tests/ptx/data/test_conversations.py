"""Canonical rows as the conversations that a chat template gets."""

from ptx.data.conversations import as_text, as_turns, conversations
from ptx.data.records import Record

HI, HELLO = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}


def found(shape, row):
    return list(conversations(shape, [Record("my.jsonl", 1, row)]))


def test_a_conversation_comes_with_its_tools_and_options():
    row = {"messages": [HI, HELLO], "tools": [{"name": "f"}], "chat_template_kwargs": {"think": True}}
    (one,) = found("messages", row)
    assert (one.turns, one.tools, one.options, one.ask) == (
        [HI, HELLO],
        [{"name": "f"}],
        {"think": True},
        False,
    )


def test_a_pair_is_two_conversations_and_a_prompt_one_that_asks():
    pair = found("pairs", {"prompt": "hi", "chosen": "hello", "rejected": "go"})
    assert [one.turns for one in pair] == [[HI, HELLO], [HI, {**HELLO, "content": "go"}]]
    assert [(one.turns, one.ask) for one in found("prompts", {"prompt": "hi", "answer": "x"})] == [
        ([HI], True)
    ]
    assert found("text", {"text": "a"}) == []


def test_the_speakers_of_a_dialogue_are_turns_and_other_text_is_left_alone():
    asked = "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: hi\n\nAssistant:"
    made = as_turns("completions", {"prompt": asked, "completion": " hello"})
    assert made == {"prompt": [HI, HELLO, HI], "completion": [HELLO]}
    for text in ("Human: hi", "say\n\nHuman: hi\n\nAssistant:", "Humans: who?\n\nAssistant: me"):
        assert as_turns("prompts", {"prompt": text}) == {"prompt": [{"role": "user", "content": text}]}


def test_a_scorer_reads_one_turn_as_its_text_and_several_with_their_roles():
    assert as_text([{"role": "user", "content": "why?"}]) == "why?"
    assert as_text([{"role": "assistant", "content": None}]) == ""
    assert (
        as_text([{"role": "system", "content": "be kind"}, {"role": "user", "content": "why?"}])
        == "system: be kind\n\nuser: why?"
    )
