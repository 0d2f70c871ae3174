"""A killed training resumes from the newest checkpoint that is whole, whatever happened to others."""

import os
import pickle
from types import SimpleNamespace

import pytest
import torch

from ptx.lm.seal import SEAL, seal_folder
from ptx.lm.training.checkpoints import usable_checkpoint
from ptx.store.store import Store


class Code:
    def __reduce__(self):
        return os.system, ("touch ran",)


def checkpoint(folder, step):
    made = folder / f"checkpoint-{step}"
    made.mkdir(parents=True)
    torch.save({"exp_avg": torch.ones(4)}, made / "optimizer.pt")
    torch.save({"last_epoch": step}, made / "scheduler.pt")
    torch.save({"cpu": torch.get_rng_state()}, made / "rng_state.pth")
    (made / "model.safetensors").write_bytes(bytes(64))
    (made / "trainer_state.json").write_text('{"global_step": 5}')
    seal_folder(made)
    return made


@pytest.fixture
def run(tmp_path):
    said = []
    return SimpleNamespace(
        checkpoints=tmp_path / "checkpoints", store=Store(tmp_path / "store"), say=said.append, said=said
    )


def cut(name):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-7])


def poisoned(folder):
    """As someone would who knows of the seal."""
    (folder / "optimizer.pt").write_bytes(pickle.dumps(Code()))
    (folder / SEAL).unlink()
    seal_folder(folder)


DAMAGE = {
    "optimizer cut": (cut("optimizer.pt"), "optimizer.pt has"),
    "optimizer empty": (
        lambda folder: (folder / "optimizer.pt").write_bytes(b""),
        "optimizer.pt has 0 bytes",
    ),
    "optimizer gone": (lambda folder: (folder / "optimizer.pt").unlink(), "optimizer.pt is missing"),
    "random state cut": (cut("rng_state.pth"), "rng_state.pth has"),
    "trainer state cut": (cut("trainer_state.json"), "trainer_state.json has"),
    "weights cut": (cut("model.safetensors"), "model.safetensors has"),
    "code, unsealed": (
        lambda folder: (folder / "optimizer.pt").write_bytes(pickle.dumps(Code())),
        "optimizer.pt has",
    ),
    "code, sealed": (poisoned, "optimizer.pt holds something else than tensors and numbers"),
}


@pytest.mark.parametrize(("spoil", "fault"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_is_put_aside_and_the_one_before_is_taken(
    run, tmp_path, monkeypatch, spoil, fault
):
    monkeypatch.chdir(tmp_path)
    older, newer = checkpoint(run.checkpoints, 5), checkpoint(run.checkpoints, 10)
    spoil(newer)
    assert usable_checkpoint(run) == older
    aside = tmp_path / "store" / "quarantine" / "checkpoint-10" / "0"
    assert run.said[0].startswith(f"the checkpoint of step 10 is damaged ({fault}")
    assert run.said == [run.said[0], "resuming from step 5"]
    assert str(aside) in run.said[0]
    assert aside.is_dir()
    assert not newer.exists()
    assert not (tmp_path / "ran").exists()
    assert "weights_only" not in "".join(run.said)


def test_without_a_store_and_without_another_checkpoint_the_training_begins_again(run):
    run.store = None
    for _ in range(2):
        cut("optimizer.pt")(checkpoint(run.checkpoints, 10))
        assert usable_checkpoint(run) is None
    names = sorted(path.name for path in run.checkpoints.iterdir())
    assert names == ["damaged-checkpoint-10", "damaged-checkpoint-10-1"]


def test_a_checkpoint_that_was_being_written_is_passed_over_in_silence(run):
    whole, half = checkpoint(run.checkpoints, 5), checkpoint(run.checkpoints, 10)
    (half / SEAL).unlink()
    (run.checkpoints / "checkpoint-last").mkdir()
    assert usable_checkpoint(run) == whole
    assert run.said == ["resuming from step 5"]
