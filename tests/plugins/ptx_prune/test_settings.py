import pytest

from ptx_prune import SparseGPT


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sparsity": 1.5}, "compress.sparsegpt.sparsity must lie between 0 and 1, got 1.5"),
        ({"pattern": "4:2"}, "must be unstructured or n:m, got '4:2'"),
        ({"pattern": "1:4"}, "add compress.sparsegpt.sparsity=0.25"),
        ({"pattern": "2:4", "block_size": 30}, "must be a multiple of 4"),
        ({"samples": 0}, "compress.sparsegpt.samples must be at least 1"),
        ({"dampening": 0.0}, "dampening must be positive"),
        ({"skip": ["("]}, "compress.sparsegpt.skip: '(' is no regular expression"),
        ({"layers": {"(": 0.5}}, "compress.sparsegpt.layers: '(' is no regular expression"),
        ({"layers": {"down": 0.0}}, "leave a layer alone with compress.sparsegpt.skip=[down]"),
        ({"pattern": "2:4", "layers": {"down": 0.3}}, "fixes the sparsity of every layer"),
        ({"allocation": "oil"}, "must be uniform or owl"),
        ({"allocation": "owl", "spread": 0.4}, "spread must lie between 0 and 0.25 at sparsity 0.5"),
        ({"allocation": "owl", "pattern": "2:4"}, "try compress.sparsegpt.allocation=uniform"),
        ({"outlier": 0.0}, "compress.sparsegpt.outlier must be positive"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_the_fix(settings, said):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the text is what is tested)
        SparseGPT(**settings)
    assert said in str(refused.value)
