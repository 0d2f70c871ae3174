"""ptx data pairs: the better reply is chosen, and what is equally good makes no pair."""

GRADED = [
    {"prompt": "a", "completion": "good", "rating": 9, "model": "x"},
    {"prompt": "b", "completion": "one", "rating": 5},
    {"prompt": "a", "completion": "poor", "rating": 2},
    {"prompt": "a", "completion": "fair", "rating": 5},
    {"prompt": "b", "completion": "two", "rating": 5},
    {"prompt": "c", "completion": "alone", "rating": 5},
]


def replies(rows):
    return [(row["prompt"], row["chosen"], row["rejected"]) for row in rows]


def test_the_best_reply_is_paired_with_the_worst(data, written):
    said = data("pairs", "score=rating", "out=./pairs.jsonl", rows=GRADED)[1]
    assert written("pairs.jsonl") == [
        {"prompt": "a", "chosen": "good", "rejected": "poor", "score_chosen": 9.0, "score_rejected": 2.0}
    ]
    assert "1 pair; 1 prompt has one reply, and of 1 no reply is better by more than 0" in said


def test_all_replies_that_differ_by_the_margin(data, written):
    data("pairs", "score=rating", "keep=all", "margin=4", "out=./pairs.jsonl", rows=GRADED)
    assert replies(written("pairs.jsonl")) == [("a", "good", "fair"), ("a", "good", "poor")]


def test_thumbs_make_pairs_and_conversations_keep_their_turns(data, written):
    turns = [{"role": "user", "content": "why?"}]
    rows = [
        {"prompt": turns, "completion": [{"role": "assistant", "content": text}], "label": label}
        for text, label in (("so", True), ("no", False), ("so", False))
    ]
    data("pairs", "keep=all", "out=./pairs.jsonl", rows=rows)
    assert replies(written("pairs.jsonl")) == [(turns, rows[0]["completion"], rows[1]["completion"])]


def test_a_score_that_is_none_is_refused_with_its_line(data):
    code, said = data("pairs", "score=ratin", "out=./pairs.jsonl", rows=GRADED)
    assert code == 2
    assert "no row has a column 'ratin' that scores its reply" in said
    assert "did you mean 'rating'?" in said
    rows = [GRADED[0], {**GRADED[1], "rating": "high"}]
    assert (
        "line 2: rating must be a number, or true or false, got 'high'"
        in data("pairs", "score=rating", "out=./pairs.jsonl", rows=rows)[1]
    )


def test_a_file_without_a_pair_is_refused(data):
    code, said = data("pairs", "score=rating", "out=./pairs.jsonl", rows=GRADED[1:2])
    assert (code, "no two replies of my.jsonl make a pair: 1 prompt has one reply" in said) == (2, True)
