"""Training on pairs without a reference."""

import pytest

from ptx import Lora, StepError
from ptx_pairwise import CPO, ORPO, SimPO
from tests.plugins.ptx_pairwise.conftest import PAIRS


@pytest.mark.parametrize("kind", [ORPO, SimPO, CPO])
def test_training_prefers_the_chosen_answers(pairwise, make_data, chat_model, kind):
    run, made = pairwise(
        kind, chat_model, make_data("pairs", PAIRS), max_steps=12, learning_rate=5e-3, lora=Lora(r=4)
    )
    margins = [shown["rewards/margins"] for shown in run.console.progressed if "rewards/margins" in shown]
    assert margins[-1] > margins[0] + 0.01
    assert made.kind == "full"
    shown = run.console.progressed[0]
    assert {"logps/chosen", "logps/rejected", "nll_loss", "rewards/accuracies"} <= set(shown)


def test_pairs_that_would_be_cut_are_left_out(pairwise, make_data, chat_model):
    long = [{**row, "chosen": row["chosen"] + "x" * 300} for row in PAIRS]
    run, _ = pairwise(SimPO, chat_model, make_data("some", [*PAIRS, *long[:3]]), max_steps=1)
    assert any("3 of 19 pairs are left out: they have more than 256 tokens" in x for x in run.console.lines)
    with pytest.raises(StepError, match="16 of 16 pairs have more than 256 tokens"):
        pairwise(SimPO, chat_model, make_data("all", long), "all", max_steps=1)
