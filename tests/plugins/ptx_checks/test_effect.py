import math

import pytest

import ptx_checks
from ptx import Compressor, ModelRef, Promise, RunConfig, StepError
from ptx.lm.drift import Drift
from ptx_checks.effect import figures_of, judge, rows_for
from tests.architectures import TOKENIZER as TINY


class Same(Compressor):
    def promise(self):
        return Promise(same_function=True)


def judged(run, step, **figures):
    moved = Drift(
        **{"kl": 0.0, "loss_before": 2.0, "loss_after": 2.0, "tokens": 50, "vocabulary": 500} | figures
    )
    judge(run, step, moved, ModelRef(TINY))


def test_a_collapse_is_refused_unless_it_is_to_be_repaired_later(make_run):
    run = make_run(RunConfig(), (ptx_checks,))
    with pytest.raises(StepError, match=r"worse than guessing.*from 2.000 to 7.000.*collapse=warn"):
        judged(run, Compressor(), loss_after=7.0)
    with pytest.raises(StepError, match="worse than guessing"):
        judged(run, Compressor(), loss_after=math.nan)
    judged(run, Compressor(collapse="warn"), loss_after=7.0)
    assert "warning: a large loss of quality" in run.console.lines[-1]


def test_a_large_loss_is_said_and_a_small_one_is_not(make_run):
    run = make_run(RunConfig(), (ptx_checks,))
    judged(run, Compressor(), loss_after=2.3)
    assert run.console.lines == []
    judged(run, Compressor(), loss_after=4.0)
    assert "perplexity x 7.39" in run.console.lines[0]


def test_a_step_that_keeps_the_function_is_held_to_it(make_run):
    run = make_run(RunConfig(), (ptx_checks,))
    judged(run, Same(), kl=1e-7)
    with pytest.raises(StepError, match="must not change what the model computes"):
        judged(run, Same(), kl=0.1)


def test_the_record_holds_the_change_of_every_compressor(ask):
    run, _ = ask("prune")
    assert run.console.progressed[-1]["kl_to_input"] > 0
    assert set(figures_of(Drift(0, 0, 0, 1, 2))) <= set(run.console.progressed[-1])


def test_a_step_without_data_is_looked_at_on_text_of_its_own(make_run, plain_model):
    rows = rows_for(make_run(RunConfig(), (ptx_checks,)), ModelRef.of(plain_model), None)
    assert len(rows) >= 3
    assert all(len(row) > 1 for row in rows)


def test_a_value_of_collapse_that_is_none_is_refused_before_the_run():
    (problem,) = ptx_checks.ptx_validate(RunConfig(compress={"x": Compressor(collapse="perhaps")}))
    assert "refuse or warn, got 'perhaps'" in str(problem)
