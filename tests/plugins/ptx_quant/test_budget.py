"""A budget in bytes: the folder on disk has the predicted size, never more, and never much less."""

import re
from dataclasses import dataclass

import pytest

from ptx import Compressor, ModelRef, Promise, StepError
from ptx.files import files_of, read_rows
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx_quant import Mixed

FAST = {"samples": 6, "max_length": 64, "probes": 2}


def size_of(folder):
    return sum(file.stat().st_size for file in files_of(folder))


@pytest.fixture
def least(squeeze):
    """``least(**settings)``: the least possible bytes, as the refusal of an impossible budget says them."""

    def ask(**settings):
        with pytest.raises(
            StepError,
            match=(
                r"compress.mixed.max_bytes=1 cannot be met: with \d bits everywhere the folder has at least"
            ),
        ) as refused:
            squeeze(Mixed(max_bytes=1, **settings, **FAST), name="asking")
        return int(re.search(r"try compress.mixed.max_bytes=(\d+)", str(refused.value))[1])

    return ask


@pytest.mark.slow
@pytest.mark.parametrize(("then", "symmetric"), [("gptq", True), ("rtn", False)])
def test_the_folder_is_within_its_budget_and_nearly_uses_it_up(squeeze, least, then, symmetric):
    settings = {"candidates": [3, 4, 8], "then": then, "symmetric": symmetric}
    allowed = least(**settings) + 6000
    run, ref = squeeze(Mixed(max_bytes=allowed, **settings, **FAST))
    (event,) = [event for event in read_rows(run.events) if event["event"] == "sensitivity"]
    assert event["taken"] <= event["allowed"] == allowed
    assert 0.9 * event["taken"] < ref.bytes == size_of(ref.path) <= event["taken"]
    assert allowed - event["taken"] < 1000
    assert len(set(event["bits"].values())) > 1


@pytest.mark.slow
def test_the_least_possible_share_is_said_and_can_be_had(squeeze, plain_model):
    with pytest.raises(StepError, match=r"compress.mixed.size=0.05 cannot be met") as refused:
        squeeze(Mixed(size=0.05, then="rtn", **FAST))
    share = float(re.search(r"try compress.mixed.size=([\d.]+),", str(refused.value))[1])
    _, ref = squeeze(Mixed(size=share, then="rtn", **FAST), name="second")
    assert ref.bytes <= share * size_of(plain_model)


@pytest.mark.slow
def test_more_bytes_lose_less(squeeze, least):
    start = least(candidates=[2, 8])
    predicted = []
    for number, more in enumerate((4000, 8000, 14000)):
        run, _ = squeeze(
            Mixed(max_bytes=start + more, then="rtn", candidates=[2, 8], **FAST), name=f"step{number}"
        )
        predicted += [
            event["predicted"] for event in read_rows(run.events) if event["event"] == "sensitivity"
        ]
    assert predicted[0] > predicted[1] > predicted[2]


@dataclass
class Within(Compressor):
    bytes: int
    share: float

    def promise(self):
        return Promise(max_bytes=self.bytes, size=self.share)


def test_a_folder_over_its_budget_fails_the_step(make_run, plain_model, tmp_path):
    from ptx_checks.verify import verify

    network, folder = load_model(plain_model), tmp_path / "model"
    network.model.layers[0].mlp.up_proj.weight.data.mul_(1.01)
    save_model(network, load_tokenizer(plain_model), folder)
    made, model = ModelRef.of(folder), ModelRef.of(plain_model)
    with pytest.raises(
        StepError,
        match=r"at most 1,000 bytes were asked for, and the folder has [\d,]+; a size of 0.5 was asked for",
    ):
        verify(make_run(), Within(1000, 0.5), model, made, None)
    verify(make_run(name="second"), Within(made.bytes, 1.1), model, made, None)
