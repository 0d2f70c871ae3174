"""Near-duplicates, and annotators who disagree; rows of one template are no near-duplicates."""

import json

from ptx.data import open_data
from ptx.plan.alike import alike, near_places

STORY = "Janet has sixteen ducks that lay eggs, and she sells nine of them at the market every day"


def data_of(tmp_path, *rows):
    (tmp_path / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return open_data("x", tmp_path / "my.jsonl")


def test_a_text_with_another_ending_or_another_word_is_near_and_an_equal_one_is_not():
    assert near_places([STORY, STORY]) == []
    assert near_places([STORY, f"{STORY}!"]) == [1]
    assert near_places([STORY, "Birds fly.", f"{STORY} at noon"]) == [2]


def test_questions_of_one_template_are_not_near():
    asked = "You are a helpful assistant. Read the following text and answer briefly: how much is"
    assert near_places([f"{asked} {n} and {n * 17}?" for n in range(200)]) == []


def test_few_near_duplicates_among_many_rows_are_not_told(tmp_path):
    rows = [{"text": f"{word} " * 9 + str(n)} for n, word in enumerate(["ab", "cd", "ef"] * 60)]
    data = data_of(tmp_path, *rows, {"text": STORY}, {"text": f"{STORY}."})
    assert [note.name for note in alike(data, "text")] == []


def thumbs(says):
    return [
        {"prompt": f"Add {n}.", "completion": f"{n}.", "label": says(n, by), "annotator_id": by}
        for n in range(30)
        for by in ("ann", "bob")
    ]


def test_annotators_who_agree_by_chance_are_told_with_the_interval(tmp_path):
    (note,) = alike(data_of(tmp_path, *thumbs(lambda n, by: (n // (1 + (by == "bob"))) % 2 == 0)), "thumbs")
    assert note.name == "annotators-disagree"
    assert "on 30 rows with several annotators" in note.what
    assert alike(data_of(tmp_path, *thumbs(lambda n, by: n % 2 == 0)), "thumbs") == []
