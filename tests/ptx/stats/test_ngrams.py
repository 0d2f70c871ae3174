"""Shared runs of words: a planted text is found, a paraphrase is not."""

from __future__ import annotations

import pytest

from ptx.stats.ngrams import known_of, ngrams, sharing, texts_at, words_of

ITEM = "Janet has sixteen eggs and sells nine of them for two dollars each at the market."


def test_words_are_compared_without_case_and_punctuation():
    assert words_of("Über 3 Eier, bitte!") == ["über", "3", "eier", "bitte"]


def test_a_planted_item_is_found_inside_another_text_and_a_paraphrase_is_not():
    known = ngrams(ITEM, 13)
    paraphrase = "At the market Janet gets two dollars for each of the nine eggs that she sells of sixteen."
    rows = [[f"Solve: {ITEM.upper()} How many?"], [paraphrase], ["short", ITEM]]
    assert sharing(rows, known, 13) == [True, False, True]


def test_a_short_text_is_compared_as_a_whole_and_a_tiny_one_not_at_all():
    short = "What is the capital of the country Spain?"
    assert ngrams(short, 13) == {tuple(words_of(short))}
    assert ngrams("The answer is 4.", 13) == set()
    assert len(ngrams(ITEM, 13)) == len(words_of(ITEM)) - 12


def test_a_short_text_that_is_repeated_is_a_common_answer_and_no_item():
    refusal, question = (
        "I am sorry, but I cannot help you with that.",
        "Who wrote the book about the two white whales?",
    )
    known = known_of([refusal, question, refusal], 13)
    assert sharing([[refusal], [question]], known, 13) == [False, True]


def test_what_many_items_have_in_common_is_an_instruction_and_no_item():
    instruction = "Solve the problem step by step and write the answer behind four hash signs at the end."
    items = [f"{instruction} {number} {ITEM.replace('sixteen', str(number))}" for number in range(30)]
    known = known_of(items, 13)
    assert sharing([[f"{instruction} What is 2 + 2?"], [items[3]]], known, 13) == [False, True]


def test_texts_are_read_from_the_files_of_a_folder(tmp_path):
    (tmp_path / "task.yaml").write_text("task: x\n")
    (tmp_path / "a.jsonl").write_text('{"q": "one", "choices": ["two", "three"]}\n')
    (tmp_path / "b.txt").write_text("four\n")
    assert texts_at(tmp_path) == ["one", "two", "three", "four"]


def test_a_model_folder_holds_no_items_and_a_broken_file_is_named(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architectures": ["a b c d e f"]}')
    assert texts_at(tmp_path / "model") == []
    (tmp_path / "broken.jsonl").write_text("{")
    with pytest.raises(ValueError, match=r"broken\.jsonl"):
        texts_at(tmp_path / "broken.jsonl")
