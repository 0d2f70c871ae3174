"""Labels in every notation that can only mean one thing, and those that cannot."""

import pytest

NOTATIONS = [
    (True, False),
    (1, 0),
    (1.0, 0.0),
    (1, -1),
    ("1", "0"),
    ("+1", "-1"),
    ("true", "false"),
    ("True", "False"),
    ("TRUE ", " FALSE"),
    ("yes", "no"),
    ("Y", "N"),
    ("WAHR", "FALSCH"),
    ("oui", "non"),
    ("good", "bad"),
    ("like", "dislike"),
    ("thumbs_up", "thumbs_down"),
    ("👍", "👎"),
    ("desirable", "undesirable"),
    ("chosen", "rejected"),
    ("correct", "incorrect"),
]


def thumbs(*labels):
    return [{"prompt": f"{n}?", "completion": f"{n}.", "label": label} for n, label in enumerate(labels)]


@pytest.mark.parametrize(("liked", "disliked"), NOTATIONS)
def test_a_notation_is_read_and_said(opened, tmp_path, liked, disliked):
    data = opened(tmp_path, *thumbs(liked, disliked, disliked))
    assert [row["label"] for row in data.rows("thumbs")] == [True, False, False]
    said = data.describe("thumbs")
    assert ("taken for true (1)" in said and "taken for false (2)" in said) == (liked is not True)


def test_a_conversation_with_such_a_label_is_a_thumb(opened, tmp_path):
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    rows = [{"messages": turns, "label": "like"}, {"messages": turns[:1] + turns[1:], "label": "dislike"}]
    data = opened(tmp_path, *rows)
    assert [row["label"] for row in data.rows("thumbs")] == [True, False]
    assert "messages" not in data.shapes  # training on them would imitate the dislikes


@pytest.mark.parametrize(
    ("labels", "got"),
    [
        ((1, 0, -1), "got 1"),
        ((1, 2, 3, 4, 5), "got 2"),
        (("good", "meh"), "got 'meh'"),
        ((0.7, 0.2), "got 0.7"),
    ],
)
def test_a_scale_or_an_unknown_word_is_refused_with_its_rows(opened, tmp_path, refused, labels, got):
    message = refused(lambda: opened(tmp_path, *thumbs(*labels)))
    assert "label must be true or false" in message
    assert got in message
    assert "data.shape=completions" in message
    assert opened(tmp_path, *thumbs(*labels), shape="completions").shapes[0] == "completions"


def test_harmful_has_words_of_its_own(opened, tmp_path, refused):
    rows = [{"prompt": "a", "harmful": "unsafe"}, {"prompt": "b", "harmful": "safe"}]
    assert [row["harmful"] for row in opened(tmp_path, *rows).rows("safety")] == [True, False]
    rows = [{"prompt": "a", "harmful": "perhaps"}]
    assert "harmful must be true or false, got 'perhaps'" in refused(lambda: opened(tmp_path, *rows))


def test_a_missing_label_is_refused_with_its_row(opened, tmp_path, refused):
    assert "line 2: column label is empty (null)" in refused(lambda: opened(tmp_path, *thumbs(1, None, 0)))
