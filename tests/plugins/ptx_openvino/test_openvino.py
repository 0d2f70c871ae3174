import json
import shutil

import pytest

from ptx import ConfigError, RunConfig
from ptx.testing import check_plugin
from ptx_openvino import OpenVino, ptx_validate


def test_the_plugin_conforms():
    check_plugin("ptx_openvino")


def test_what_the_other_environment_cannot_read_is_refused(model, tmp_path):
    assert ptx_validate(RunConfig(runtime=OpenVino()), model) == []
    shutil.copytree(model, tmp_path / "packed")
    described = json.loads((model / "config.json").read_text())
    (tmp_path / "packed" / "config.json").write_text(
        json.dumps(described | {"quantization_config": {"bits": 4}})
    )
    (found,) = ptx_validate(RunConfig(runtime=OpenVino()), tmp_path / "packed")
    assert "runtime=openvino exports plain weights, and those of" in str(found)


def test_without_the_environment_it_is_said_how_to_make_it(monkeypatch):
    monkeypatch.delenv("PTX_STEP_PYTHON", raising=False)
    with pytest.raises(
        ConfigError, match=r"none is named; python -m venv VENV .*requirements\.txt, then runtime\.python="
    ):
        OpenVino().outside().identity()


@pytest.mark.parametrize(
    "settings",
    [
        {"precision": "int3"},
        {"compute": "bf16"},
        {"algorithm": "magic", "precision": "int4"},
        {"group_size": 8},
        {"calibration_rows": 0},
        {"max_perplexity_ratio": 1.0},
    ],
)
def test_values_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match=r"runtime\.\w+ must be"):
        OpenVino(**settings)


def test_an_algorithm_for_four_bits_is_refused_at_eight():
    with pytest.raises(ValueError, match=r"runtime.algorithm=gptq needs runtime.precision=int4, got int8"):
        OpenVino(algorithm="gptq")
