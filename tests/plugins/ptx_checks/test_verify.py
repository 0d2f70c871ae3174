"""Every wrong result is caught, and every right one passes."""

import pytest

from ptx import Promise, StepError


@pytest.mark.parametrize(
    ("does", "promise", "said"),
    [
        ("nothing", Promise(), "nothing was changed: all"),
        (
            "prune_one",
            Promise(every_layer=True),
            "13 of 14 layers were not touched, first model.layers.0.self_attn.k_proj",
        ),
        ("prune", Promise(sparsity=0.6), "a sparsity of 0.6 was asked for and 0.5000 reached, least in"),
        ("prune", Promise(pattern="2:4"), "2:4 does not hold in 14 of 14 layers"),
        (
            "prune",
            Promise(skip=("mlp",)),
            "6 layers were to be left alone and changed, first model.layers.0.mlp.gate_proj",
        ),
        ("prune", Promise(bits=4), "14 of 14 layers are stored in 32 bits per weight, not 4"),
        (
            "prune",
            Promise(sparsity=0.5, skip=("proj",)),
            "no linear layer was compressed: skip=['proj'] leaves out all 14",
        ),
        ("half", Promise(), "was float32 and is now stored as F16, not float32"),
        (
            "embedding",
            Promise(nothing_else=True),
            "1 tensors were to stay as they were and changed, first model.embed_tokens.weight",
        ),
        ("infinite", Promise(), "the weights of the result are broken: 1 tensor is not finite (nan or inf)"),
        (
            "spoil",
            Promise(),
            "the saved model is not the one that was in memory: their predictions differ by",
        ),
        (
            "lose",
            Promise(),
            "the result does not hold the model that its config.json describes: 1 tensor is missing on disk:",
        ),
    ],
)
def test_what_is_not_as_promised_fails_the_step_with_the_figures(ask, does, promise, said):
    with pytest.raises(StepError) as refused:
        ask(does, promise)
    assert said in str(refused.value)


def test_the_mask_of_a_pruning_step_must_survive_what_follows_unless_that_says_otherwise(ask):
    _, pruned = ask("prune", name="first")
    with pytest.raises(
        StepError,
        match=(
            r"only 0\.0% of the weights that were pruned before stayed zero \(50\.\d% of all were, 0\.0% are"
            r" now\)"
        ),
    ):
        ask("refill", model=pruned.path, name="second")
    run, _ = ask("refill", Promise(keeps_zeros=False), pruned.path, name="third")
    assert run.console.progressed[-1]["mask_kept"] == 0


def test_a_change_of_dtype_that_was_promised_is_none_to_complain_of(ask):
    ask("half", Promise(dtype="float16"))
    with pytest.raises(StepError, match="was float32 and is now stored as F32, not float16"):
        ask("prune", Promise(dtype="float16"), name="other")


def test_a_model_with_narrower_layers_and_all_others_as_they_were_passes(ask):
    """What compress=[width] makes: only the feed-forward layers change, and they have other shapes."""
    run, _ = ask("narrow", Promise(keeps_zeros=False))
    assert run.console.progressed[-1]["layers"] == 14


def test_a_model_with_fewer_layers_passes(ask):
    run, _ = ask("shorten")
    assert run.console.progressed[-1]["layers"] == 7


def test_a_folder_without_the_weights_of_its_config_is_refused_and_its_passing_path_is_not_named(ask):
    with pytest.raises(
        StepError, match=r"^the result does not hold the model that .*: \d+ tensors are missing on disk"
    ):
        ask("hull")
