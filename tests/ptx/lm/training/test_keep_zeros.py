"""A pruned model stays pruned in training: full, with adapters, resumed. A dense model trains as before."""

import pytest
import torch
from safetensors.torch import load_file

import ptx_sft
from ptx import Lora, RunConfig
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx.lm.training.keep_zeros import KeepZeros, set_masked_to_zero, zero_masks
from ptx_sft import SFT
from tests.architectures import build

ROWS = [{"prompt": f"what is {n} plus {n}? ", "completion": f"it is {2 * n}"} for n in range(16)]
QUICK = {"learning_rate": 1e-2, "batch_size": 8, "max_steps": 3, "warmup": 0.0, "weight_decay": 0.1}


@pytest.fixture(scope="module")
def pruned(chat_model, tmp_path_factory):
    """Half of every linear layer's weights are zero."""
    network = load_model(chat_model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "proj" in name:
                weight.masked_fill_(torch.rand(weight.shape, generator=generator) < 0.5, 0)
    folder = tmp_path_factory.mktemp("models") / "pruned"
    save_model(network, load_tokenizer(chat_model), folder)
    return folder


@pytest.fixture
def heal(make_run, train, make_data, pruned):
    def start(name="heal", model=None, **settings):
        run = make_run(RunConfig(method=SFT(**{**QUICK, **settings})), [ptx_sft], name)
        return run, train(run, model or pruned, make_data("rows", ROWS))

    return start


def projections(folder):
    return {
        name: weight for name, weight in load_file(folder / "model.safetensors").items() if "proj" in name
    }


def zeros_left(before, after):
    old, new = projections(before), projections(after)
    kept = sum(int(((weight == 0) & (new[name] == 0)).sum()) for name, weight in old.items())
    return kept / sum(int((weight == 0).sum()) for weight in old.values())


@pytest.mark.parametrize(
    "more", [{}, {"micro_batch": 2}, {"lora": Lora(r=4)}, {"args": {"optim": "sgd"}}], ids=str
)
def test_every_pruned_weight_is_still_zero_and_the_others_have_moved(heal, pruned, more):
    run, result = heal(**more)
    old, new = projections(pruned), projections(result.path)
    assert zeros_left(pruned, result.path) == 1.0
    moved = [bool((new[name] != weight)[weight != 0].any()) for name, weight in old.items()]
    assert all(moved)
    assert any("14 weight matrices are pruned" in line for line in run.console.lines)


@pytest.mark.parametrize("more", [{}, {"lora": Lora(r=4)}], ids=str)
def test_without_it_they_are_refilled(heal, pruned, more):
    assert zeros_left(pruned, heal(keep_zeros=False, **more)[1].path) < 0.01


def test_a_resumed_training_holds_them_too(heal, make_run, train, make_data, pruned):
    whole, result = heal("whole", max_steps=4, checkpoint_every=2)
    broken = make_run(whole.config, [ptx_sft], "broken")

    def stop_at_three(metrics, step, total=None):
        if step == 3:
            raise KeyboardInterrupt

    object.__setattr__(broken, "log", stop_at_three)
    with pytest.raises(KeyboardInterrupt):
        train(broken, pruned, make_data("rows", ROWS))
    resumed = make_run(whole.config, [ptx_sft], "broken")
    again = train(resumed, pruned, make_data("rows", ROWS))
    assert zeros_left(pruned, again.path) == 1.0
    assert again.digest == result.digest


def test_a_dense_model_is_trained_as_without_it(heal, chat_model, losses_of):
    held, free = heal("held", chat_model), heal("free", chat_model, keep_zeros=False)
    assert losses_of(held[0]) == losses_of(free[0])
    assert held[1].digest == free[1].digest


def test_gradients_of_pruned_weights_do_not_count_in_the_norm_that_is_clipped(pruned):
    network = load_model(pruned)
    masks = zero_masks(network)
    KeepZeros(network, masks)
    network(input_ids=torch.tensor([[1, 40, 41, 42]]), labels=torch.tensor([[1, 40, 41, 42]])).loss.backward()
    name, mask = next(iter(masks.items()))
    gradient = network.get_parameter(name).grad
    assert gradient[mask].abs().max() == 0
    assert gradient[~mask].abs().min() > 0


def test_embeddings_output_layer_and_the_zeros_of_a_fresh_adapter_do_not_count_as_pruned(chat_model):
    from peft import LoraConfig, get_peft_model

    network = load_model(chat_model)
    with torch.no_grad():
        network.get_input_embeddings().weight[:100] = 0
    assert (
        zero_masks(get_peft_model(network, LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM")))
        == {}
    )


def test_the_zeros_of_experts_are_kept_too(tmp_path):
    network = load_model(build("mixtral", tmp_path / "mixtral"))
    experts = network.model.layers[0].mlp.experts
    with torch.no_grad():
        experts.down_proj[:, :, :10] = 0
    masks = zero_masks(network)
    assert list(masks) == ["model.layers.0.mlp.experts.down_proj"]
    with torch.no_grad():
        experts.down_proj += 1
    set_masked_to_zero(network, masks)
    assert experts.down_proj[:, :, :10].abs().max() == 0
    assert experts.down_proj[:, :, 10:].abs().min() > 0
