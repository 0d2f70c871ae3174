"""What a compressor promises."""

from ptx import Promise


def test_nothing_is_promised_but_that_zeros_are_kept():
    promise = Promise()
    assert promise.keeps_zeros
    assert (promise.sparsity, promise.bits, promise.max_bytes, promise.skip) == (None, None, None, ())
