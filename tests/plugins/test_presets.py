"""Every preset of a plugin composes, by its own name, to a configuration that its choice accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ptx.cli.plugins import presets
from ptx.compose.jobs import compose_jobs
from ptx.config import GROUPS
from ptx.hooks.host import get_host

PLUGINS = Path(__file__).parents[2] / "plugins"
PRESETS = sorted(PLUGINS.glob("*/conf/*/*.yaml"))
SHIPPED = {
    "onnx_fp32": {"precision": "fp32"},
    "onnx_int8": {"precision": "int8"},
    "onnx_int4": {"precision": "int4", "head": "auto"},
    "onnx_int4_head8": {"precision": "int4", "head": "int8"},
    "onnx_auto": {"precision": "auto"},
    "gguf_q4_0": {"type": "q4_0"},
    "rtn_w3": {"bits": 3},
    "gptq_w8": {"bits": 8},
    "sparsegpt_2_4": {"pattern": "2:4"},
}


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_shipped_preset_composes_and_says_how_it_is_typed(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    group, name = path.parent.name, path.stem
    many = GROUPS[group][1]
    typed = f"{group}=[{name}]" if many else f"{group}={name}"
    made = getattr(compose_jobs(get_host(), "compress", [typed])[0].config, group)
    chosen = made[name] if many else made
    assert {field: getattr(chosen, field) for field in SHIPPED.get(name, {})} == SHIPPED.get(name, {})
    assert path.read_text().startswith(f"# {typed}")


def test_runtimes_of_one_list_differ_in_their_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    jobs = compose_jobs(get_host(), "eval", ["runtime=[hf,onnx_fp32,onnx_int8]"])
    assert [getattr(job.config.runtime, "precision", "hf") for job in jobs] == ["hf", "fp32", "int8"]
    assert [job.varied for job in jobs] == [{"runtime": name} for name in ("hf", "onnx_fp32", "onnx_int8")]


def test_the_list_of_plugins_names_every_preset():
    found = presets(get_host())
    assert all(path.stem in found[path.parent.name] for path in PRESETS)
    assert "onnx" not in found["runtime"]
    assert "sft_dpo" in found["recipe"]
