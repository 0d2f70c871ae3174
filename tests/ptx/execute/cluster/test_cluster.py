"""``cluster=``: what is wrong with it is found before anything is submitted."""

from __future__ import annotations

import pytest

from ptx.cli import main
from ptx.hooks.host import get_host
from tests.ptx.execute.cluster.conftest import CLUSTER_WORDS as WORDS


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cluster=slurm"], "this machine has no sbatch, srun, sacct"),
        (["cluster=slurm", "workers=2"], "workers= and cluster= are both given"),
        (["cluster=ray", "cluster.gpus=1", "device=auto"], "device=auto means the CPU on this machine"),
        (["cluster=slurm", "launch.processes=2"], "choose one with launch=NAME"),
        (["cluster=slumr"], "did you mean 'slurm'?"),
        (["cluster.minutes=0", "cluster=slurm"], "cluster.minutes must be at least 1, got 0"),
    ],
)
def test_what_a_cluster_lacks_is_said_before_anything_is_sent(folder, words, said, capsys, monkeypatch):
    get_host.cache_clear()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    try:
        assert main(["train", *WORDS, *words]) == 2
    finally:
        get_host.cache_clear()
    assert said in capsys.readouterr().err
    assert not (folder / "ptx-out").exists()
