"""The trainer: equal to TRL's where TRL has one, whatever the size of a forward pass."""

import pytest
import torch

from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx.lm.training.rows import trl_rows
from ptx_pairwise import CPO, ORPO, SimPO
from tests.plugins.ptx_pairwise.conftest import PAIRS

TRL = {
    "orpo": (ORPO, {"prompt_loss": True}, "orpo.ORPO", {"beta": 0.1}),
    "simpo": (
        SimPO,
        {},
        "cpo.CPO",
        {"loss_type": "simpo", "beta": 2.0, "simpo_gamma": 1.0, "cpo_alpha": 0.0},
    ),
    "cpo": (CPO, {}, "cpo.CPO", {"beta": 0.1, "cpo_alpha": 1.0}),
}


def first_loss_of_trl(name, model, settings, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ptx.lm.training.rows import as_dataset
    from ptx.lm.training.trl_args import trl_class

    tokenizer = AutoTokenizer.from_pretrained(model)
    fixed = {"use_cpu": True, "bf16": False, "report_to": [], "max_length": 256, "save_strategy": "no"}
    trainer = trl_class(f"{name}Trainer")(
        model=AutoModelForCausalLM.from_pretrained(model, dtype="float32"),
        args=trl_class(f"{name}Config")(
            output_dir=str(tmp_path), remove_unused_columns=False, **fixed, **settings
        ),
        train_dataset=as_dataset(trl_rows("pairs", PAIRS, tokenizer)),
        processing_class=tokenizer,
    )
    trainer.model.eval()
    batch = trainer.data_collator([trainer.train_dataset[place] for place in range(8)])
    with torch.no_grad():
        return trainer.get_batch_loss_metrics(trainer.model, batch, "eval")[0].item()


@pytest.mark.parametrize("name", TRL)
def test_the_first_loss_is_that_of_trl(pairwise, make_data, chat_model, losses_of, tmp_path, name):
    kind, own, theirs, settings = TRL[name]
    try:
        expected = first_loss_of_trl(theirs, chat_model, settings, tmp_path)
    except (ImportError, AttributeError):
        pytest.skip("TRL has removed its experimental trainer")
    run, _ = pairwise(kind, chat_model, make_data("first", PAIRS[:8]), max_steps=1, **own)
    assert losses_of(run)[0] == pytest.approx(expected, abs=2e-6 * max(1, abs(expected)))


@pytest.mark.parametrize(
    ("kind", "settings"), [(ORPO, {}), (ORPO, {"prompt_loss": True}), (SimPO, {}), (CPO, {})]
)
def test_the_update_does_not_depend_on_the_size_of_a_pass(pairwise, make_data, chat_model, kind, settings):
    data = make_data("pairs", PAIRS[:8])
    given = {"max_steps": 1, "learning_rate": 1.0, "dtype": "float32", "scheduler": "constant", **settings}
    given["args"] = {"optim": "sgd", "max_grad_norm": 0.0}
    made = [
        pairwise(kind, chat_model, data, f"by-{micro}", micro_batch=micro, **given)[1] for micro in (8, 2)
    ]
    start = weights(chat_model)
    whole, parts = (weights(one.path) - start for one in made)
    assert (whole - parts).norm() / whole.norm() < 1e-5


def test_simpo_does_not_read_lengths_and_cpo_does(pairwise, make_data, chat_model, losses_of, tmp_path):
    """Where every token is as likely as any other, an answer that is three times as long says nothing."""
    uniform = load_model(chat_model)
    with torch.no_grad():
        uniform.model.norm.weight.zero_()  # all scores are 0
    save_model(uniform, load_tokenizer(chat_model), tmp_path / "uniform")
    found = {}
    for times in (1, 3):
        rows = [{**row, "chosen": row["chosen"] * times} for row in PAIRS[:8]]
        data = make_data(f"times-{times}", rows)
        for kind in (SimPO, CPO):
            given = {"max_steps": 1, "micro_batch": 4}
            run, _ = pairwise(kind, tmp_path / "uniform", data, f"{kind.__name__}-{times}", **given)
            found[kind, times] = losses_of(run)[0]
    margin = SimPO().gamma_ratio * SimPO().beta
    expected = torch.tensor(margin).exp().log1p().item()
    assert found[SimPO, 1] == pytest.approx(expected, rel=1e-5)
    assert found[SimPO, 3] == pytest.approx(expected, rel=1e-5)
    assert abs(found[CPO, 3] - found[CPO, 1]) > 1


def weights(folder):
    return torch.cat([one.detach().flatten().double() for one in load_model(folder).parameters()])
