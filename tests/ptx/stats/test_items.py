from ptx.stats.items import item_ids, lasted, numbered

ROWS = [("Say cat.", "cat"), ("Say dog.", "dog"), ("Say sun.", "sun")]


def test_items_of_a_reordered_or_longer_file_keep_their_names():
    names = dict(zip(ROWS, item_ids("task", ROWS), strict=True))
    longer = [("Say moon.", "moon"), *reversed(ROWS)]
    again = dict(zip(longer, item_ids("task", longer), strict=True))
    assert {row: again[row] for row in ROWS} == names
    assert len(set(again.values())) == 4


def test_what_is_right_is_part_of_the_content_and_the_task_of_the_name():
    (name,) = item_ids("task", [("Say cat.", "cat")])
    assert item_ids("task", [("Say cat.", "dog")]) != [name]
    assert item_ids("other", [("Say cat.", "cat")]) == [name.replace("task", "other")]


def test_the_same_content_again_is_told_apart_by_a_number():
    first, second = item_ids("task", [ROWS[0], ROWS[0]])
    assert second == f"{first}:2"
    assert numbered(["a", "b", "a", "a"]) == ["a", "b", "a:2", "a:3"]


def test_a_time_that_nobody_knows_is_no_column():
    assert lasted(None) == {}
    assert lasted(0.25) == {"latency": 0.25}
