import json
import os
import subprocess

import pytest

from ptx import ConfigError, Problem, RunConfig
from ptx.config.environment import Outside
from ptx_openvino import OpenVino, ptx_validate
from ptx_openvino.checks import EXPORTED, pinned
from tests.architectures import build

LISTED = """
import json, os, sys
os.environ.update(CI="true", NNCF_CI="1")
sys.modules["torchvision"] = None
import transformers, optimum.exporters.openvino.model_configs
from optimum.exporters.tasks import TasksManager
from packaging.version import Version
here = transformers.__version__
def reads(kinds):
    made = kinds.get("text-generation-with-past") or kinds.get("text-generation")
    made = getattr(made, "func", made)
    bounds = [getattr(made, f"{end}_TRANSFORMERS_VERSION", None) or here for end in ("MIN", "MAX")]
    return made and Version(str(bounds[0])) <= Version(here) <= Version(str(bounds[1]))
print(json.dumps([n for n, c in TasksManager._SUPPORTED_MODEL_TYPE.items() if reads(c.get("openvino", {}))]))
"""


@pytest.fixture
def held(monkeypatch):
    """Say which versions the other environment has."""

    def answer(found):
        def contents(self):
            if found is None:
                raise ConfigError(Problem("no Python is named"))
            return {"python": "3.11", "distributions": found}

        monkeypatch.setattr(Outside, "contents", contents)

    return answer


def said(folder):
    return "; ".join(map(str, ptx_validate(RunConfig(runtime=OpenVino()), folder)))


@pytest.mark.parametrize("found", [pinned(), None])
def test_a_type_that_the_environment_cannot_export_is_refused(tmp_path, held, found):
    held(found)
    folder = build("gemma2", tmp_path / "gemma2")
    assert "cannot export gemma2 with optimum-intel 2.2.0 and transformers 5.5.4" in said(folder)
    assert "use runtime=hf" in said(folder)
    assert said(build("qwen2", tmp_path / "qwen2")) == ""


def test_an_environment_with_other_versions_is_not_judged_by_the_list(tmp_path, held):
    held(pinned() | {"transformers": "4.57.6"})
    assert said(build("gemma2", tmp_path / "gemma2")) == ""


def test_a_phi_whose_keys_have_fewer_heads_is_refused(tmp_path, held):
    held(pinned())
    folder = build("phi", tmp_path / "phi")
    assert "phi with num_key_value_heads=2 of 4 heads" in said(folder)
    described = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(described | {"num_key_value_heads": 4}))
    assert "heads" not in said(folder)


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("PTX_TEST_OPENVINO"),
    reason="PTX_TEST_OPENVINO does not name a Python with optimum-intel",
)
def test_the_list_is_what_the_environment_exports():
    python = os.environ["PTX_TEST_OPENVINO"]
    ran = subprocess.run(
        [python, "-c", LISTED], capture_output=True, text=True, check=True, env=Outside.variables()
    )
    assert set(json.loads(ran.stdout.splitlines()[-1])) == EXPORTED
