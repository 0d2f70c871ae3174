"""A compressor of another plugin that does one thing wrong at a time."""

from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import save_file

import ptx_checks
from ptx import Choice, Compressor, ModelRef, Promise, RunConfig, hookimpl, setting
from ptx.lm.load import load_model, load_tokenizer, save_model


@dataclass
class Strange(Compressor):
    needs = ()
    does: str = setting("prune", "what it does")
    promises: Promise = setting(Promise(), "what it says it does")

    def promise(self):
        return self.promises


class Stranger:
    """Every way of going wrong that the libraries have been seen to go."""

    __name__ = "stranger"

    @hookimpl
    def ptx_choices(self):
        return [Choice("compress", "strange", Strange, "anything")]

    @hookimpl
    def ptx_compress(self, run, compressor, model):
        network, folder = load_model(model), run.folder / "model"
        made = getattr(self, compressor.does)(network, folder)
        if made != "saved":
            save_model(network, load_tokenizer(model.path), folder)
        else:
            load_tokenizer(model.path).save_pretrained(folder)
        return ModelRef.of(folder)

    def prune(self, network, _):
        for layer in linear(network).values():
            halve(layer)

    def prune_one(self, network, _):
        halve(next(iter(linear(network).values())))

    def nothing(self, network, _):
        pass

    def narrow(self, network, _):
        size = network.config.intermediate_size // 2
        for layer in network.model.layers:
            for name in ("gate_proj", "up_proj", "down_proj"):
                module = getattr(layer.mlp, name)
                module.weight.data = (
                    module.weight.data[:, :size] if name == "down_proj" else module.weight.data[:size]
                )
                module.out_features, module.in_features = module.weight.shape
        network.config.intermediate_size = size

    def half(self, network, _):
        self.prune(network, _)
        network.half()

    def hull(self, network, folder):
        network.config.save_pretrained(folder)
        save_file({"weight": torch.zeros(1)}, folder / "model.safetensors", metadata={"format": "pt"})
        return "saved"

    def embedding(self, network, _):
        self.prune(network, _)
        network.get_input_embeddings().weight.data[0] += 1

    def infinite(self, network, _):
        network.model.norm.weight.data[0] = float("inf")

    def spoil(self, network, folder):
        """Right in memory, wrong on disk."""
        self.prune(network, folder)
        state = {
            name: tensor * 1.01 if "down_proj" in name else tensor
            for name, tensor in network.state_dict().items()
        }
        network.save_pretrained(folder, state_dict=state)
        return "saved"

    def lose(self, network, folder):
        state = {
            name: tensor
            for name, tensor in network.state_dict().items()
            if "layers.1.mlp.up_proj" not in name
        }
        network.save_pretrained(folder, state_dict=state)
        return "saved"

    def refill(self, network, _):
        for layer in linear(network).values():
            layer.weight.data += 1e-3

    def shorten(self, network, _):
        network.model.layers = network.model.layers[:1]
        network.config.num_hidden_layers = 1
        network.config.layer_types = None

    def by_hand(self, network, folder):
        from safetensors.torch import save_file

        self.prune(network, folder)
        folder.mkdir()
        network.config.save_pretrained(folder)
        save_file(
            {n: t for n, t in network.state_dict().items() if n != "lm_head.weight"},
            folder / "model.safetensors",
            {"format": "pt"},
        )
        return "saved"


def linear(network):
    head = network.get_output_embeddings()
    return {n: m for n, m in network.named_modules() if isinstance(m, torch.nn.Linear) and m is not head}


def halve(layer):
    flat = layer.weight.data.abs().flatten()
    layer.weight.data[layer.weight.data.abs() <= flat.kthvalue(flat.numel() // 2).values] = 0


@pytest.fixture
def ask(make_run, plain_model):
    """``ask(does, promise)``: the step of a plugin that does something wrong, with the checks around it."""

    def compressed(does, promise=None, model=plain_model, name="step"):
        run = make_run(RunConfig(), (ptx_checks, Stranger()), name)
        made = run.host.first(
            "ptx_compress",
            run=run,
            compressor=Strange(does, promise or Promise()),
            model=ModelRef.of(model),
            data=None,
        )
        return run, made

    return compressed


@pytest.fixture
def stranger():
    """The plugin, and a config of its compressor that does nothing."""
    return Stranger(), Strange("nothing")


@pytest.fixture
def linear_layers():
    return linear
