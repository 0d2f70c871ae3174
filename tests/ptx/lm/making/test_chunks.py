"""Chunks: a step that was killed goes on where it stood, and makes the same rows."""

from __future__ import annotations

import pytest

from ptx.lm.making.chunks import chunk_seed, in_chunks


def rows_of(part, seed):
    return [{"item": item, "seed": seed} for item in part]


def test_every_chunk_has_a_seed_of_its_own(plain_run):
    found = in_chunks(plain_run(3), "items", range(5), 2, rows_of)
    assert [row["item"] for row in found] == [0, 1, 2, 3, 4]
    assert [row["seed"] for row in found] == [chunk_seed(3, start) for start in (0, 0, 2, 2, 4)]


def test_another_seed_draws_other_noise_and_a_longer_list_begins_the_same(plain_run):
    short, long = (in_chunks(plain_run(1), "items", range(count), 2, rows_of) for count in (4, 6))
    assert long[:4] == short
    assert in_chunks(plain_run(2), "items", range(4), 2, rows_of) != short


@pytest.mark.parametrize("torn", ["", '{"event": "chunk", "rows": [{"it'])
def test_after_a_kill_only_the_rest_is_made(plain_run, torn):
    run, asked = plain_run(), []

    def work(part, seed):
        if len(asked) == 2 and not asked[-1] == "again":
            raise KeyboardInterrupt
        asked.append(list(part))
        return rows_of(part, seed)

    with pytest.raises(KeyboardInterrupt):
        in_chunks(run, "items", range(7), 2, work)
    with (run.checkpoints / "items.jsonl").open("a") as file:
        file.write(torn)
    asked.append("again")
    found = in_chunks(run, "items", range(7), 2, work)
    assert asked == [[0, 1], [2, 3], "again", [4, 5], [6]]
    assert found == in_chunks(plain_run(), "items", range(7), 2, rows_of)
