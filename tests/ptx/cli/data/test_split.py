"""ptx data split: near-duplicates stay together, and the columns of the file stay as they are."""

import random

WORDS = [f"word{number}" for number in range(300)]


def prompt(seed):
    return " ".join(random.Random(seed).sample(WORDS, 30))


def rows(count, answer="a"):
    return [{"question": prompt(seed), "answer": f"{answer} {seed}"} for seed in range(count)]


def test_a_share_of_the_rows_is_for_testing_and_no_row_is_lost(data, written):
    made = rows(50)
    assert data("split", "test=0.2", "out=./parts", rows=made)[0] == 0
    train, test = written("parts/train.jsonl"), written("parts/test.jsonl")
    assert len(test) == 10
    assert sorted([*train, *test], key=str) == sorted(made, key=str)


def test_the_split_follows_from_the_seed(data, written):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        data("split", f"seed={seed}", f"out=./{name}", rows=rows(50))
    a, b, c = (written(f"{name}/test.jsonl") for name in "abc")
    assert a == b != c


def test_prompts_that_are_nearly_equal_are_on_one_side(data, written):
    """Every prompt comes three times, with another word at its end."""
    made = [
        {"prompt": f"{prompt(n // 3)} {('please', 'now', 'again')[n % 3]}", "completion": f"{n}"}
        for n in range(60)
    ]
    said = data("split", "test=12", "out=./parts", rows=made)[1]
    assert "60 rows in 20 groups stay together (the largest has 3)" in said
    test = {int(row["completion"]) // 3 for row in written("parts/test.jsonl")}
    train = {int(row["completion"]) // 3 for row in written("parts/train.jsonl")}
    assert (len(test), len(train), test & train) == (4, 16, set())


def test_rows_of_one_value_of_a_column_are_on_one_side(data, written):
    made = [{**row, "user": number % 7} for number, row in enumerate(rows(70))]
    assert data("split", "by=user", "test=20", "out=./parts", rows=made)[0] == 0
    test, train = ({row["user"] for row in written(f"parts/{part}.jsonl")} for part in ("test", "train"))
    assert (len(test), test & train) == (2, set())


def test_what_cannot_be_split_is_refused_before_anything_is_written(data, tmp_path):
    for word, said in (
        ("test=1.5e9", "leaves one side empty"),
        ("test=0", "leaves one side empty"),
        ("near=2", "near must be above 0 and at most 1"),
        ("by=usr", "there is no such column; columns: question, answer"),
        ("test=many", "test must be a number, got 'many'"),
    ):
        code, told = data("split", word, "out=./parts", rows=rows(10))
        assert (code, said in told) == (2, True), told
    same = [{"prompt": prompt(1), "completion": str(number)} for number in range(10)]
    code, told = data("split", "test=2", "out=./parts", rows=same)
    assert (code, "the groups of alike rows have at least 10 rows, more than test=2" in told) == (2, True)
    assert not (tmp_path / "parts").exists()
