"""Seeded batches of additional data."""

from ptx_mix.streams import Stream


def test_a_stream_gives_every_row_once_per_epoch_in_an_order_of_the_seed():
    stream, same, other = (
        Stream(range(10), 4, 1, "x"),
        Stream(range(10), 4, 1, "x"),
        Stream(range(10), 4, 2, "x"),
    )
    batches = [stream.batch(number) for number in range(5)]
    assert sorted(row for batch in batches for row in batch) == sorted([*range(10), *range(10)])
    assert same.batch(3) == batches[3] != other.batch(3)
    assert sorted(Stream(range(3), 6, 0, "x").batch(7)) == [0, 0, 1, 1, 2, 2]


def test_the_places_of_the_first_batches():
    stream = Stream(range(10), 4, 1, "x")
    assert stream.drawn(2) == {row for number in range(2) for row in stream.batch(number)}
    assert stream.drawn(3) == set(range(10))
