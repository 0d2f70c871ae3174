"""A stranger's compressor does one thing wrong at a time; each is caught, and what is right passes."""

from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import save_file

import ptx_checks
from ptx import Choice, Compressor, ModelRef, Promise, RunConfig, StepError, hookimpl, setting
from ptx.files import read_rows
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
    def go(does, promise=None, model=plain_model, name="step"):
        run = make_run(RunConfig(), (ptx_checks, Stranger()), name)
        made = run.host.first(
            "ptx_compress",
            run=run,
            compressor=Strange(does, promise or Promise()),
            model=ModelRef.of(model),
            data=None,
        )
        return run, made

    return go


def test_what_is_as_promised_passes_and_its_figures_are_in_the_record(ask):
    run, made = ask("prune", Promise(sparsity=0.5, every_layer=True, nothing_else=True))
    logged = run.console.progressed[-1]
    assert logged["zeros"] == pytest.approx(0.5, abs=0.01)
    assert logged["zeros_before"] == 0
    assert logged["layers"] == logged["layers_changed"] == 14
    assert logged["reload_kl"] <= 1e-6
    assert logged["bits_per_weight"] == 32
    assert logged["bytes"] == made.bytes
    assert 0 < logged["relative_weight_error"] < 1
    assert "14 of 14 linear layers changed, 50.0% zeros" in run.console.lines[-1]
    (event,) = [event for event in read_rows(run.events) if event["event"] == "checked"]
    assert {layer["name"] for layer in event["per_layer"]} == set(linear(load_model(made)))


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
        ("half", Promise(), "came as float32 and is stored as F16 now, not float32"),
        (
            "embedding",
            Promise(nothing_else=True),
            "1 tensors were to stay as they were and changed, first model.embed_tokens.weight",
        ),
        ("infinite", Promise(), "its outputs are not finite after reloading"),
        (
            "spoil",
            Promise(),
            "the saved model is not the one that was in memory: their predictions differ by",
        ),
        ("lose", Promise(), "1 tensors are missing on disk, first model.layers.1.mlp.up_proj.weight"),
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
    with pytest.raises(StepError, match="came as float32 and is stored as F32 now, not float16"):
        ask("prune", Promise(dtype="float16"), name="other")


def test_a_model_with_narrower_layers_and_all_others_as_they_were_passes(ask):
    """What compress=[width] makes: only the feed-forward layers change, and they have other shapes."""
    run, _ = ask("narrow", Promise(keeps_zeros=False))
    assert run.console.progressed[-1]["layers"] == 14


def test_a_model_with_fewer_layers_passes(ask):
    run, _ = ask("shorten")
    assert run.console.progressed[-1]["layers"] == 7


def test_what_was_saved_by_other_means_is_compared_with_nothing_and_that_is_said(ask):
    run, _ = ask("by_hand")
    assert "saved by other means than save_pretrained: compared with nothing" in run.console.lines[-1]
    assert "reload_kl" not in run.console.progressed[-1]


def test_saving_works_as_before_when_the_step_is_over(ask, plain_model, tmp_path):
    from transformers import PreTrainedModel

    original = PreTrainedModel.__dict__["save_pretrained"]
    ask("prune")
    assert PreTrainedModel.__dict__["save_pretrained"] is original


def test_without_the_plugin_nothing_is_checked(make_run, plain_model):
    run = make_run(RunConfig(), (Stranger(),))
    assert run.host.first(
        "ptx_compress", run=run, compressor=Strange("nothing"), model=ModelRef.of(plain_model), data=None
    )


def test_a_folder_without_the_weights_of_its_config_is_not_loaded(ask, monkeypatch):
    monkeypatch.setattr(
        "ptx_checks.verify.reload", lambda *_: pytest.fail("all weights would be drawn at random")
    )
    with pytest.raises(
        StepError,
        match=r"holds no model: its config.json describes \d+ modules, and \d+ of them have no weights",
    ):
        ask("hull")
