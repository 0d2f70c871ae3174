from functools import partial
from types import SimpleNamespace

import pytest
import torch

from ptx import machine
from ptx.files import read_rows
from ptx.hooks.waiting import calling
from ptx.lm.progress import Rows
from ptx.lm.serving import batching
from ptx.lm.serving.batching import AUTO, Batches, is_memory_full, token_bytes

SHAPE = SimpleNamespace(hidden_size=64, intermediate_size=128, num_hidden_layers=2, vocab_size=1000)


def test_a_typed_number_of_rows_is_taken_as_it_is():
    batches = Batches.of(3, SHAPE, 4, "cpu")
    assert [places for places, _ in batches.each([5, 9, 7, 1], list)] == [[1, 2, 0], [3]]


def test_auto_takes_as_many_rows_as_half_of_the_free_memory_holds(monkeypatch):
    scored, kept = token_bytes(SHAPE, 4)
    assert kept == 2 * 2 * 64 * 4 < scored
    monkeypatch.setattr(machine, "free_bytes", lambda _: 2.0 * 100 * scored)
    batches = Batches.of(AUTO, SHAPE, 4, "cpu")
    assert [len(places) for places, _ in batches.each([40] * 7, list)] == [2, 2, 2, 1]
    assert [len(places) for places, _ in batches.each([40] * 40, list, batches.kept)] == [32, 8]
    assert batches.settled() == {"rows": 32, "scored_tokens": 100, "kept_tokens": batches.kept}


def test_auto_takes_no_row_into_a_full_batch_that_brings_much_padding(monkeypatch):
    monkeypatch.setattr(machine, "free_bytes", lambda _: 2.0**40)
    lengths = [90, 180, 4, 300, 170, 165, 3]
    batches = Batches.of(AUTO, SHAPE, 4, "cpu")
    assert [places for places, _ in batches.each(lengths, list)] == [[3], [1, 4, 5], [0, 2, 6]]
    # what is generated is bound by the weights, which are read once for all rows
    assert [places for places, _ in batches.each(lengths, list, batches.kept)] == [[3, 1, 4, 5, 0, 2, 6]]
    assert [places for places, _ in Batches.of(AUTO, SHAPE, 4, "cuda").each(lengths, list)] == [
        [3, 1, 4, 5, 0, 2, 6]
    ]


def test_a_long_call_of_a_runtime_tells_the_run_at_work_how_far_it_is(make_run, monkeypatch):
    run = make_run()
    batches = Batches(2, 100, 100)
    monkeypatch.setattr(batching, "Rows", partial(Rows, every=0.0))
    with calling("mine", "ptx_evaluate", __file__, run):
        assert len([*batches.each([1] * 6, lambda part: part)]) == 3
    told = [(event["what"], event["step"], event["total"]) for event in read_rows(run.events)]
    assert told == [("rows", 2, 6), ("rows", 4, 6)]  # what ends the call is not progress
    before = run.events.read_text()
    assert [*batches.each([1] * 6, lambda part: part)]  # outside of a step there is nobody to tell
    assert run.events.read_text() == before


def test_where_memory_is_full_a_batch_is_done_in_halves_and_no_row_twice():
    batches, done = Batches(8, 2**31, 2**31), []

    def work(places):
        if len(places) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        done.extend(places)
        return len(places)

    assert sum(made for _, made in batches.each([1] * 11, work)) == 11
    assert sorted(done) == list(range(11))
    assert batches.settled()["too_large"] == [8, 4]
    assert batches.rows == 2


def test_a_row_that_does_not_fit_alone_and_another_error_are_raised():
    def full(_):
        raise MemoryError

    def wrong(_):
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(MemoryError):
        list(Batches(4, 1, 1).each([1, 1], full))
    with pytest.raises(RuntimeError, match="shapes"):
        list(Batches(4, 100, 100).each([1, 1], wrong))


def test_full_memory_is_known_by_its_words_where_the_type_says_nothing():
    assert is_memory_full(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    assert not is_memory_full(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
