import json

import pytest

from ptx import ConfigError
from ptx.lm.evaluation.texts import amount, name_of, problems, read

STORY = "Once there was a fish named Fin. He swam near the shore and saw a crab.\n"


@pytest.fixture
def rows(tmp_path):
    """``rows("name.jsonl", rows)``: a file of these rows."""

    def write(name, rows):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path / name

    return write


def test_the_same_text_has_the_same_item_in_every_place_and_order(rows, tmp_path):
    texts = [{"text": f"{STORY}{number}"} for number in range(4)]
    (tmp_path / "elsewhere").mkdir()
    file, copied = rows("stories.jsonl", texts), rows("elsewhere/stories.jsonl", texts[::-1] * 2)
    items, again = ({text.item for text in read(str(path), block=100)} for path in (file, copied))
    assert again == items | {f"{item}:2" for item in items}


def test_lines_become_blocks_and_separators_documents(tmp_path):
    file = tmp_path / "test.txt"

    def texts(block=4096, **settings):
        return [text.text for text in read(str(file), block=block, **settings)]

    file.write_text(STORY * 5)
    assert texts(block=200) == [STORY * 3, STORY * 2]
    assert texts(block=280) == [STORY * 5]
    assert "".join(texts(block=1000)) == STORY * 5
    assert len(texts(separator="\n")) == 5
    assert len(texts(separator="\n", limit=2)) == 2
    file.write_text(f"{STORY}<|endoftext|>\n{STORY}")
    assert texts() == [STORY.strip()] * 2


def test_a_name_that_says_nothing_gets_that_of_its_folder(tmp_path):
    assert name_of(str(tmp_path / "test.txt")) == f"{tmp_path.name}_test"
    assert name_of(str(tmp_path / "stories.txt")) == "stories"


def test_segments_are_columns_and_bytes_are_utf_8(rows):
    file = rows("stories.jsonl", [{"text": "für", "language": "de"}])
    (text,) = read(str(file), block=100, segments=["language"])
    assert text.segments == {"language": "de"}
    assert text.bytes == 4
    with pytest.raises(ConfigError, match=r"has no column 'topic' to split by; it has text, language"):
        read(str(file), block=100, segments=["topic"])


def test_every_file_that_cannot_be_read_is_a_problem(rows, tmp_path):
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "bytes.txt").write_bytes(b"hei\xe1t m\x81de")
    (tmp_path / "text.pdf").write_text("x")
    rows("rows.jsonl", [{"words": "a"}])
    (tmp_path / "other").mkdir()
    twice = [str(rows("twice.jsonl", [{"text": "a"}])), str(rows("other/twice.jsonl", [{"text": "a"}]))]
    files = [
        str(tmp_path / name) for name in ("none.txt", "empty.txt", "rows.jsonl", "bytes.txt", "text.pdf")
    ]
    found = [problem.what for problem in problems("perplexity", [*files, *twice], block=100)]
    expected = ["there is no text", "holds no text", "has no column text", "neither UTF-8 nor", "is none of"]
    assert [part in what for part, what in zip(expected, found, strict=False)] == [True] * 5
    assert found[5:] == ["two texts would both be called twice"] * 2


def test_readable_texts_are_no_problem(rows):
    assert problems("perplexity", [str(rows("stories.jsonl", [{"text": "a"}]))], block=100) == []


def test_the_amount_of_text_is_told_for_the_plan(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("one<|endoftext|>two\n<|endoftext|>" + "x" * 1994)
    assert amount([str(file)], block=100) == "3 texts (2 kB)"
    assert amount([str(file)], block=100, limit=1) == "1 text (0 kB)"
