import pytest

from ptx.lm.training.method import TrlMethod, above, at_least, one_of


@pytest.mark.parametrize(
    ("batch", "micro", "ranks", "expected"),
    [
        (16, None, 1, (16, 1)),
        (16, 4, 1, (4, 4)),
        (16, None, 4, (4, 1)),
        (16, 2, 4, (2, 2)),
        (16, 8, 4, (4, 1)),  # a rank has fewer examples than fit into a forward pass
    ],
)
def test_the_examples_of_all_ranks_and_passes_add_up_to_the_batch(batch, micro, ranks, expected):
    micro_batch, passes = TrlMethod(batch_size=batch, micro_batch=micro).shares(ranks)
    assert (micro_batch, passes) == expected
    assert micro_batch * passes * ranks == batch


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, r"method\.learning_rate must be positive, got 0\.0; try .*=1e-5"),
        ({"learning_rate": float("nan")}, "must be positive, got nan"),
        ({"epochs": -1.0}, r"method\.epochs must be positive"),
        ({"warmup": -0.1}, r"method\.warmup must be at least 0"),
        ({"max_steps": 0}, r"method\.max_steps must be positive, got 0; try method\.max_steps=100"),
        ({"scheduler": "cosin"}, r"there is no method\.scheduler 'cosin'; did you mean 'cosine'\?"),
        ({"dtype": "int8"}, r"there is no method\.dtype 'int8'"),
        (
            {"batch_size": 12, "micro_batch": 5},
            r"method\.micro_batch must divide method\.batch_size=12, got 5; try method\.micro_batch=4",
        ),
        ({"batch_size": 12, "micro_batch": 0}, r"try method\.micro_batch=1"),
    ],
)
def test_a_wrong_setting_is_refused_with_one_that_works(settings, message):
    with pytest.raises(ValueError, match=message):
        TrlMethod(**settings)


def test_max_steps_of_minus_one_leaves_the_number_of_steps_to_the_epochs():
    assert TrlMethod(max_steps=-1).max_steps == -1


def test_bounds_are_exclusive_above_and_inclusive_at_least():
    method = TrlMethod(weight_decay=1.0)
    above(0.5, method, "weight_decay", "2")
    at_least(1.0, method, "weight_decay", "2")
    with pytest.raises(ValueError, match=r"method\.weight_decay must be greater than 1\.0, got 1\.0"):
        above(1.0, method, "weight_decay", "2")
    with pytest.raises(ValueError, match=r"there is no method\.dtype 'auto'"):
        one_of(("float32",), method, "dtype")
