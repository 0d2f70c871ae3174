"""Mistakes that training would learn without a word, one row each, and the good rows that look like them."""

import json

import pytest

from ptx.data import check, open_data

ASK = {"role": "user", "content": "What is the capital of France?"}
SAY = {"role": "assistant", "content": "It is Paris."}
SYSTEM = {"role": "system", "content": "Be brief."}
LONG = "What is the capital of France?"
FIND = {"name": "find", "description": "finds", "parameters": {"type": "object", "properties": {}}}
FINDS = {"role": "assistant", "content": "", "tool_calls": [{"name": "find", "arguments": {}}]}


def turns(*said):
    return {"messages": list(said)}


def answer(reply, prompt="Name a colour."):
    return {"prompt": prompt, "completion": reply}


MISTAKES = {
    "a system message stands behind the first message": turns(ASK, SYSTEM, SAY),
    "messages begins with the assistant": turns(SAY, ASK, SAY),
    "two messages of the user follow each other": turns(ASK, ASK, SAY),
    "two messages of the assistant follow each other": turns(ASK, SAY, SAY),
    "a system message in messages is empty": turns({"role": "system", "content": " "}, ASK, SAY),
    "a reply is the prompt itself": answer(LONG, LONG),
    "replies begin with the prompt": answer(f"{LONG} Paris.", LONG),
    "the prompt ends with the reply": answer("The capital is Paris.", f"{LONG} The capital is Paris."),
    "holds tokens of a chat template, got '<|im_end|>'": answer("Blue.<|im_end|>"),
    "holds tokens of a chat template, got '[INST]'": answer("Blue.", "[INST] Name a colour. [/INST]"),
    "holds tokens of a chat template, got '### Response:'": answer("### Response:\nBlue."),
    "holds tokens of a chat template, got '</s>'": answer("Blue.</s>"),
    "holds tokens of a chat template, got '<<SYS>>'": answer("Blue.", "<<SYS>>Be brief.<</SYS>> A colour?"),
    "holds tokens of a chat template, got '<start_of_turn>'": answer("Blue.", "<start_of_turn>user\nColour?"),
    "was read in a wrong encoding once, got 'Ã©'": answer("Un cafÃ©."),
    "was read in a wrong encoding once, got 'â€™'": answer("Itâ€™s blue."),
    "holds � where letters were lost": answer("Un caf\ufffd."),
    "holds control characters": answer("Blue\x00."),
    "texts hold HTML entities, got '&amp;'": answer("Blue &amp; red."),
    "texts hold HTML, got '<p>'": answer("<p>Blue.</p>"),
    "texts hold \\n as two characters": answer("Blue.\\n\\nOr red."),
    "a prompt holds a slot that was never filled, got '{question}'": answer("Blue.", "Answer: {question}"),
    "a prompt holds a slot that was never filled, got '[YOUR NAME]'": answer(
        "Blue.", "I am [YOUR NAME]. Hi?"
    ),
    "the prompt is an address, a number or an identifier": answer("Blue.", "https://example.org/q/17"),
    "the prompt is an address, a number or an identifier, got '5f3a": answer("Blue.", "5f3a9c01-77de-4b1c"),
    "a prompt is the word for nothing, got 'nan'": answer("Blue.", "nan"),
    "a reply is the word for nothing, got 'None'": answer("None"),
    "a reply is the word for nothing, got 'N/A'": answer("N/A"),
    "a reply is the word for nothing, got '[deleted]'": answer("[deleted]"),
    "a reply is the word for nothing, got '#REF!'": answer("#REF!"),
    "prompts end with a space": answer("Blue.", "Name a colour: "),
    "a reply is the error of a program, got 'Error code: 429'": answer("Error code: 429 - too many"),
    "a reply is the error of a program, got '{\"error\":'": answer('{"error": {"message": "overloaded"}}'),
    "a reply is the error of a program, got '502 Bad Gateway'": answer("502 Bad Gateway"),
    "a reply goes on with the user's next turn": answer("Blue.\nUser: And another one?\nAssistant: Red."),
    "replies begin with the name of the speaker, got 'Assistant: ": answer("Assistant: Blue."),
    "a reply is a list of messages that was written as text": answer(
        "[{'role': 'assistant', 'content': 'x'}]"
    ),
    "replies are lists that were written as text": answer("['Blue', 'Red']"),
    "a reply ends inside <think>": answer("<think>The user wants a colour."),
    "replies end inside a block of code": answer("Here:\n```python\nprint('blue')"),
    "replies end with three dots": answer("The colour of the sky is..."),
    "what looks like an access key": answer("Use sk-abcdefghijklmnopqrstuvwx."),
    "what looks like an access key ": answer("-----BEGIN RSA PRIVATE KEY-----\nMIIE"),
    "more than 400 characters without a space": answer("iVBORw0KGgo" * 50),
    "the line ends of Windows": answer("Blue.\r\nOr red."),
    "characters that nobody sees": answer("Bl\u200bue."),
    "replies begin with white space": answer(" Blue."),
    "a reply repeats itself": answer("The colour is blue, I think. " * 30),
    "chosen and rejected differ in capitals, spaces or punctuation only": {
        "prompt": "Name a colour.",
        "chosen": "Blue.",
        "rejected": "blue",
    },
    "a reply calls a tool that is not declared, got 'find'": {
        **turns(ASK, FINDS),
        "tools": [{**FIND, "name": "search"}],
    },
    "replies stand in quotation marks": answer('"Blue is a fine colour."'),
}


@pytest.fixture
def notes_of(write_rows, tmp_path):
    """The problems and notes on rows."""

    def notes_of(*rows):
        data = open_data("x", write_rows(tmp_path / "my.jsonl", *rows))
        problems, notes = check(data, data.shapes[0])
        return problems, [note.what for note in notes]

    return notes_of


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_a_note_with_its_line(notes_of, message):
    row = MISTAKES[message]
    good = turns(ASK, SAY) if "messages" in row else answer("Green.", "And another?")
    good = {"prompt": "And?", "chosen": "Green.", "rejected": "Wood."} if "chosen" in row else good
    problems, notes = notes_of(row, good)
    assert problems == []
    assert (
        len([note for note in notes if note.startswith("file my.jsonl line 1: ") and message.strip() in note])
        == 1
    )


GOOD = [
    turns(SYSTEM, ASK, SAY, ASK, SAY),
    {**turns(ASK, FINDS), "tools": [FIND]},
    {**turns(ASK, FINDS, {"role": "tool", "content": "null"}, SAY), "tools": [FIND]},
    turns({"role": "system", "content": f"You have {json.dumps(FIND)}"}, ASK, FINDS),
    answer("None of the above."),
    answer("The set is $\\nabla f \\neq 0$, so \\nu grows."),
    answer('Write print("a\\n") there.'),
    answer("Is 3 < 4 and 5 > 2? Yes, and A&B; too."),
    answer("Use <b> tags:\n```html\n<p>Blue</p>\n```"),
    answer("Café, naïve, Ärger, Ünal, â, Ã: all are letters."),
    answer("Blue", "Extract the colour: the sky is blue"),
    answer("[1, 2, 3]", "Sort 3, 1, 2"),
    answer('{"colour": "blue"}', "As JSON, please: {'a': 1}"),
    answer("Answer the question above.", "How do I start?"),
    answer("At 5: 30 we meet. Output follows.", "12 + 30"),
    answer("# Title\n\n## Instruments\n\nText", "Write markdown"),
    answer("42", "What is 6 * 7?"),
    answer("<think>easy</think>Blue."),
    answer('"Blue," she said, "or red."'),
    answer("Sing:\n" + "Row, row, row your boat, gently down the stream.\n" * 3 + "Merrily."),
    answer("The task-list has sk-ip and AKIA in it, hf_hub too."),
    {"prompt": "Which is right?", "chosen": "The cats sleep.", "rejected": "The cats sleeps."},
]


def test_good_rows_that_look_alike_give_no_note(notes_of):
    for row in GOOD:
        assert notes_of(row) == ([], [])


def test_what_good_data_shows_now_and_then_counts_from_a_share_of_the_rows_on(notes_of):
    rows = [answer(f"Colour {number}.", f"Name colour {number}.") for number in range(200)]
    assert notes_of(*rows, answer("Blue &amp; red."))[1] == []
    assert "HTML entities" in notes_of(*rows, *[answer(f"Blue &amp; red {n}.") for n in range(5)])[1][0]


def test_four_thousand_rows_of_one_mistake_are_one_line(notes_of):
    rows = [answer(f"Colour {number}.<|im_end|>", f"Name colour {number}.") for number in range(4000)]
    (note,) = notes_of(*rows)[1]
    assert "(and 3999 more of 4000 rows: lines 2, 3, 4, ...)" in note
    assert len(json.dumps(note)) < 200
