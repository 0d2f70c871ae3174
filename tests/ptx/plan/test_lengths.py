"""Rows counted in the tokens of a model, before it is loaded."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import ptx_tiny
from ptx.data import open_data
from ptx.plan.lengths import DEFAULT_LENGTH, Limit, lengths, limit_of

TINY = Path(ptx_tiny.__file__).parent / "model"


@pytest.fixture
def base(tmp_path):
    """A model without a chat template: the files of the embedded one but that."""
    folder = tmp_path / "base"
    folder.mkdir()
    for file in TINY.iterdir():
        if file.is_file() and file.name != "chat_template.jinja":
            content = file.read_bytes()
            if file.name == "tokenizer_config.json":
                config = json.loads(content)
                config.pop("chat_template", None)
                content = json.dumps(config).encode()
            (folder / file.name).write_bytes(content)
    return folder


@pytest.fixture
def rows(tmp_path):
    def rows(*given, shape=None):
        path = tmp_path / "my.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in given))
        data = open_data("my", path)
        return data, shape or data.shapes[0]

    return rows


def answer(number, words=1):
    return {"prompt": f"Add 1 and {number}.", "completion": "The answer is " + "the answer " * words + "2."}


def test_the_limit_is_the_methods_or_the_contexts():
    class Cut:
        max_length = 7

    class Free:
        max_length = None

    assert limit_of(Cut, 512) == Limit(7, "method.max_length", 512)
    assert limit_of(Free, 512).tokens == 512
    assert limit_of(Free, None).tokens == DEFAULT_LENGTH
    assert limit_of(None, 512) == Limit(512, "the model's context")


def test_rows_are_counted_as_transformers_counts_them(rows):
    from ptx.lm.load import load_tokenizer

    data, shape = rows(answer(1), answer(2, 30))
    tokenizer = load_tokenizer(TINY)
    row = data.rows(shape)[1]
    turns = [
        {"role": "user", "content": row["prompt"]},
        {"role": "assistant", "content": row["completion"]},
    ]
    count = len(tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False))
    found = lengths(data, shape, TINY, Limit(512, "the model's context"))
    assert found.longest == (
        f"2 examples, the longest with {count} tokens (file my.jsonl line 2); the model's context is 512"
    )
    assert (found.problems, found.notes) == ([], [])
    exact = lengths(data, shape, TINY, Limit(count, "method.max_length"))
    assert (exact.problems, exact.notes) == ([], [])
    cut = lengths(data, shape, TINY, Limit(count - 1, "method.max_length"))
    (note,) = cut.notes
    assert note.what == (
        f"file my.jsonl line 2: longer than method.max_length ({count - 1} tokens), so it is cut"
    )
    needed = int(note.fix.partition("method.max_length=")[2].split()[0])
    assert lengths(data, shape, TINY, Limit(needed, "method.max_length")).notes == []


def test_prompts_that_leave_nothing_of_most_replies_are_refused_with_the_length_that_they_need(rows):
    long = [{"prompt": "Add one and two. " * 60, "completion": f"The answer is {n}."} for n in range(3)]
    data, shape = rows(*long, answer(1))
    (problem,) = lengths(data, shape, TINY, Limit(64, "method.max_length")).problems
    assert problem.what == (
        "file my.jsonl line 1: the prompt alone fills method.max_length (64 tokens), so nothing of the reply"
        " is trained (and 2 more of 4 rows: lines 2, 3)"
    )
    needed = int(problem.fix.partition("longest prompt: ")[2].split()[0])
    assert lengths(data, shape, TINY, Limit(needed + 1, "method.max_length")).problems == []


def preferred(number: int, times: int = 1) -> dict[str, str]:
    return {"prompt": f"Add {number} and one.", "chosen": f"It is {number + 1}. " * times, "rejected": "No."}


def test_a_reward_model_leaves_long_pairs_out_and_a_pair_counts_once(rows):
    pairs = [preferred(n, 60 if n < 2 else 1) for n in range(5)]
    pairs[0]["rejected"] = "No, no. " * 60  # both sides are too long: still one row
    data, shape = rows(*pairs)
    (note,) = lengths(data, shape, TINY, Limit(64, "method.max_length", leaves_out=True)).notes
    assert note.what == (
        "file my.jsonl line 1: longer than method.max_length (64 tokens), so it is left out"
        " (and 1 more of 5 rows: line 2)"
    )
    (cut, *_) = lengths(data, shape, TINY, Limit(64, "method.max_length")).notes
    assert "so it is cut (and 1 more of 5 rows: line 2)" in cut.what
    (problem,) = lengths(data, shape, TINY, Limit(4, "method.max_length", leaves_out=True)).problems
    assert "so it is left out (and 4 more of 5 rows" in problem.what


@pytest.mark.parametrize(("makes", "leaves_out"), [("model", False), ("reward", True), ("process", True)])
def test_methods_that_score_whole_answers_leave_long_rows_out(makes, leaves_out):
    assert limit_of(SimpleNamespace(makes=makes, max_length=7), 512).leaves_out is leaves_out


def test_a_token_without_an_embedding_is_told_with_its_row(rows, base):
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    highest = max(
        [*tokenizer["model"]["vocab"].values(), *(token["id"] for token in tokenizer["added_tokens"])]
    )
    new = {**tokenizer["added_tokens"][-1], "id": highest + 1, "content": "<new>"}
    tokenizer["added_tokens"].append(new)
    (base / "tokenizer.json").write_text(json.dumps(tokenizer))
    data, shape = rows(answer(1), {"prompt": "Add <new>.", "completion": "The answer is 2."}, answer(3))
    found = lengths(data, shape, base, Limit(None, "the model's context"))
    (problem,) = found.problems
    assert problem.what.startswith("file my.jsonl line 2: a token of it has no embedding")
    assert f"got '<new>' (id {highest + 1})" in problem.what
    data, shape = rows(answer(1))
    assert lengths(data, shape, base, Limit(None, "")).problems == []


def test_without_a_template_texts_that_are_joined_without_a_space_are_told(rows, base):
    data, shape = rows({"prompt": "Add 1 and 1.", "completion": "The answer is 2."})
    (note,) = lengths(data, shape, base, Limit(512, "")).notes
    assert "prompt and reply are joined without a space, got 'Add 1 and 1.The answer i'" in note.what
    data, shape = rows({"prompt": "Add 1 and 1.\n", "completion": "The answer is 2."})
    assert lengths(data, shape, base, Limit(512, "")).notes == []


def test_both_sides_of_a_pair_are_counted(rows):
    data, shape = rows({"prompt": "Add 1 and 1.", "chosen": "2.", "rejected": "The answer is " * 40})
    found = lengths(data, shape, TINY, Limit(40, "method.max_length"))
    assert found.longest.startswith("2 examples")
    assert len(found.notes) == 1
