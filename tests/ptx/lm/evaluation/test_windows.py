import pytest

from ptx.lm.evaluation.windows import windows


@pytest.mark.parametrize(
    ("count", "size", "overlap"), [(0, 4, 1), (3, 4, 1), (4, 4, 1), (13, 4, 1), (13, 6, 3), (20, 5, 4)]
)
def test_windows_are_lm_evals(count, size, overlap):
    from lm_eval.utils import get_rolling_token_windows

    tokens = list(range(100, 100 + count))
    assert list(windows(tokens, 1, size, overlap)) == [
        tuple(pair) for pair in get_rolling_token_windows(tokens, 1, size, overlap)
    ]


def test_every_token_is_predicted_once_and_a_window_reads_the_overlap_before():
    found = list(windows([1, 2, 3, 4, 5], 0, 3, 1))
    assert [token for _, targets in found for token in targets] == [1, 2, 3, 4, 5]
    assert found == [([0, 1, 2], [1, 2, 3]), ([2, 3, 4], [4, 5])]
