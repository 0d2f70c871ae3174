"""Training with rounded weights: the next quantiser writes exactly the trained weights, with any method."""

import json

import pytest
import torch
from safetensors.torch import load_file

import ptx_checks
import ptx_distill
import ptx_dpo
import ptx_qat
import ptx_quant
import ptx_sft
from ptx import ModelRef, RunConfig, StepError, hookimpl
from ptx.files import read_rows
from ptx.lm.compression.grid import round_to_nearest
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx_distill import Distill
from ptx_dpo import DPO
from ptx_qat import RoundToNearest
from ptx_quant import RTN
from ptx_sft import SFT

ROWS = [{"prompt": f"what is {n} plus {n}? ", "completion": f"it is {2 * n}"} for n in range(16)]
PAIRS = [{"prompt": row["prompt"], "chosen": row["completion"], "rejected": "no"} for row in ROWS]
QUICK = {"learning_rate": 1e-2, "batch_size": 8, "max_steps": 3, "warmup": 0.0}
PLUGINS = [ptx_sft, ptx_dpo, ptx_distill, ptx_qat, ptx_quant, ptx_checks]


@pytest.fixture
def taught(make_run, make_data, chat_model):
    """``taught(qat, name=..., kind=SFT, rows=..., ...)``: the run and its result."""

    def start(qat, name="step", kind=SFT, model=None, rows=None, stop=None, **settings):
        run = make_run(RunConfig(method=kind(**{**QUICK, **settings}, qat=qat)), PLUGINS, name)
        run = run.at(models={"teacher": ModelRef.of(chat_model)})
        if stop is not None:
            object.__setattr__(run, "log", stop)
        given = ModelRef.of(model or chat_model)
        data = make_data(f"rows-{name}", rows or ROWS)
        return run, run.host.first("ptx_train", run=run, method=run.config.method, model=given, data=data)

    return start


@pytest.fixture
def rounded(make_run):
    """``rounded(model, bits=3, ...)``: the result of ``compress=[rtn]``, and it loaded by transformers."""

    def quantise(model, name="rtn", **settings):
        config = RTN(**settings)
        run = make_run(RunConfig(compress={"rtn": config}), PLUGINS, name)
        made = run.host.first("ptx_compress", run=run, compressor=config, model=model, data=None)
        return made, load_model(made, "float32").eval()

    return quantise


def projections(folder):
    return {
        name: weight for name, weight in load_file(folder / "model.safetensors").items() if "_proj" in name
    }


@pytest.mark.parametrize(("bits", "group", "symmetric"), [(3, 16, True), (4, 32, False), (2, -1, True)])
def test_rounding_to_nearest_afterwards_gives_exactly_the_trained_weights(
    taught, rounded, bits, group, symmetric
):
    grid = {"bits": bits, "group_size": group, "symmetric": symmetric}
    _, made = taught(RoundToNearest(**grid))
    stored = projections(made.path)
    folder, packed = rounded(made, **grid)
    packed(torch.tensor([[1, 40, 41]]))  # unpacks
    state = packed.state_dict()
    for name, weight in stored.items():
        assert torch.equal(state[name].float(), round_to_nearest(weight, bits, group, symmetric=symmetric)), (
            name
        )
        assert not torch.equal(state[name].float(), weight)
    assert (
        json.loads((folder.path / "config.json").read_text())["quantization_config"]["quant_method"]
        == "compressed-tensors"
    )


def test_the_losses_are_those_of_the_rounded_model(taught, rounded, losses_of, chat_model):
    """With a learning rate of almost 0, the losses equal those of a model rounded beforehand."""
    run, _ = taught(RoundToNearest(bits=2, group_size=16), "qat", learning_rate=1e-12)
    network = load_model(chat_model)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "_proj" in name:
                weight.copy_(round_to_nearest(weight, 2, 16))
    folder = run.folder.parent / "beforehand"
    save_model(network, load_tokenizer(chat_model), folder)
    other, _ = taught(None, "plain", model=folder, learning_rate=1e-12)
    dense, _ = taught(None, "dense", learning_rate=1e-12)
    assert losses_of(run) == pytest.approx(losses_of(other), rel=1e-6)
    assert losses_of(run) != pytest.approx(losses_of(dense), rel=1e-2)


def test_it_teaches_the_rounded_model_what_training_without_it_does_not(taught, rounded):
    """The loss on the training rows: trained for the grid, and trained without it and then rounded."""

    def loss_of(made, name):
        _, network = rounded(made, name, bits=2, group_size=16)
        tokenizer = load_tokenizer(made.path)
        ids = [tokenizer(row["prompt"] + row["completion"], return_tensors="pt").input_ids for row in ROWS]
        with torch.no_grad():
            return sum(float(network(input_ids=row, labels=row).loss) for row in ids) / len(ids)

    settings = {
        "max_steps": 40,
        "learning_rate": 5e-3,
        "assistant_only": False,
        "rows": [{"text": row["prompt"] + row["completion"]} for row in ROWS],
    }
    with_it, without = (
        taught(through, name, **settings)[1]
        for name, through in (("aware", RoundToNearest(bits=2, group_size=16)), ("plain", None))
    )
    assert loss_of(with_it, "rtn-aware") < 0.8 * loss_of(without, "rtn-plain")


def test_a_model_can_teach_its_rounded_self(taught, losses_of):
    messages = [
        {
            "messages": [
                {"role": "user", "content": row["prompt"]},
                {"role": "assistant", "content": row["completion"]},
            ]
        }
        for row in ROWS
    ]
    run, made = taught(
        RoundToNearest(bits=2, group_size=16),
        kind=Distill,
        rows=messages,
        max_steps=30,
        learning_rate=3e-3,
        features_weight=0.5,
    )
    assert losses_of(run)[-1] < 0.7 * losses_of(run)[0]
    assert len(projections(made.path)) == 14


def test_preferences_are_trained_through_it_too_and_the_reference_is_not(taught, losses_of):
    """DPO starts at log 2 where policy equals reference; a 2-bit policy differs from its float reference."""
    run, _ = taught(RoundToNearest(bits=2, group_size=16), kind=DPO, rows=PAIRS, learning_rate=1e-6)
    assert losses_of(run)[0] != pytest.approx(0.6931, abs=1e-3)


def test_a_pruned_model_stays_pruned(taught, chat_model, tmp_path):
    network = load_model(chat_model)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "_proj" in name:
                weight[:, ::2] = 0
    save_model(network, load_tokenizer(chat_model), tmp_path / "pruned")
    _, made = taught(RoundToNearest(bits=3, group_size=16), model=tmp_path / "pruned")
    for name, weight in projections(made.path).items():
        assert not weight[:, ::2].any(), name
        assert weight[:, 1::2].all(), name


def test_a_bfloat16_model_is_rounded_as_it_is_stored(taught, rounded, chat_model, tmp_path):
    save_model(load_model(chat_model, "bfloat16"), load_tokenizer(chat_model), tmp_path / "half")
    _, made = taught(RoundToNearest(bits=4, group_size=16), model=tmp_path / "half")
    assert {weight.dtype for weight in projections(made.path).values()} == {torch.bfloat16}
    folder, _ = rounded(made, bits=4, group_size=16)
    packed = load_model(folder, "bfloat16")
    packed(torch.tensor([[1, 40, 41]]))
    for name, weight in projections(made.path).items():
        assert torch.equal(packed.state_dict()[name], round_to_nearest(weight, 4, 16)), name


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(taught):
    def stop_at_three(metrics, step, total=None):
        if step == 3:
            raise KeyboardInterrupt

    settings = {"qat": RoundToNearest(bits=3, group_size=16), "max_steps": 4, "checkpoint_every": 2}
    _, whole = taught(name="whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        taught(name="broken", stop=stop_at_three, **settings)
    _, again = taught(name="broken", **settings)
    assert again.digest == whole.digest


def test_skipped_layers_are_not_rounded_and_groups_that_do_not_fit_are_reported(taught):
    run, _ = taught(RoundToNearest(bits=3, group_size=64, skip=["down_proj"]))
    assert (
        "step: group size 64 does not divide the inputs of some layers; q_proj, k_proj, v_proj, o_proj,"
        " gate_proj, up_proj: groups of 32" in run.console.lines
    )
    event = next(event for event in read_rows(run.events) if event["event"] == "qat")
    assert len(event["groups"]) == 12
    assert 0.05 < event["relative_weight_error"] < 0.5


def test_a_result_that_was_changed_after_training_is_refused(taught, monkeypatch):
    from ptx.lm.training import trainer

    save = trainer.save_model

    def other(model, tokenizer, folder):
        with torch.no_grad():
            model.model.layers[0].mlp.up_proj.weight.mul_(-1)
        save(model, tokenizer, folder)

    monkeypatch.setattr(trainer, "save_model", other)
    with pytest.raises(
        StepError,
        match=(r"1 of 14 layers do not round to the trained weights, first model\.layers\.0\.mlp\.up_proj"),
    ):
        taught(RoundToNearest(bits=3, group_size=16))


def test_a_method_with_a_loop_of_its_own_is_refused(make_run, make_data, module_named, chat_model):
    class Own(SFT):
        pass

    @hookimpl(tryfirst=True)
    def ptx_train(run, method, model):
        return ModelRef.of(model.path) if isinstance(method, Own) else None

    run = make_run(
        RunConfig(method=Own(qat=RoundToNearest())), [*PLUGINS, module_named("own", ptx_train=ptx_train)]
    )
    with pytest.raises(StepError, match="its method has its own training loop"):
        run.host.first(
            "ptx_train",
            run=run,
            method=run.config.method,
            model=ModelRef.of(chat_model),
            data=make_data("rows", ROWS),
        )
