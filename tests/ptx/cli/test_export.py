"""``ptx export`` with a runtime that is a plugin file: the verb, without an ML library."""

from __future__ import annotations

import pytest

from ptx.cli.export import main
from ptx.errors import ConfigError
from ptx.hooks.host import get_host
from tests.conftest import write_model

PLUGIN = '''
"""A runtime that needs a copy."""
import shutil
from dataclasses import dataclass
import ptx
from ptx.models.package import write_package

@dataclass
class Copied(ptx.Runtime):
    exports = True
    precision: str = ptx.setting("int4", "bits")

@ptx.hookimpl
def ptx_choices():
    return [ptx.Choice("runtime", "copied", Copied, "a copy")]

@ptx.hookimpl
def ptx_export(run, runtime, model):
    if not isinstance(runtime, Copied):
        return None
    folder = run.folder / "out"
    folder.mkdir()
    shutil.copyfile(model.path / "model.safetensors", folder / "weights")
    write_package(folder, "copied", model.digest, {"serve": "cat {folder}/weights"})
    scores = {"kl": 0.01, "kl_low": 0.0, "kl_high": 0.02, "compared_tokens": 50.0}
    scores |= {"flips": 0.1, "flips_low": 0.0, "flips_high": 0.2}
    run.log(scores, 1, 1)
    return ptx.ModelRef.of(folder, "package")
'''


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ptxfile.py").write_text(PLUGIN)
    write_model(tmp_path / "model")
    get_host.cache_clear()
    yield tmp_path
    get_host.cache_clear()


def test_a_package_lies_in_a_folder_named_after_it_and_the_cost_is_told(here, capsys):
    assert main("export", ["model=./model", "runtime=copied"]) == 0
    assert sorted(path.name for path in (here / "model-copied-int4").iterdir()) == ["package.json", "weights"]
    said = capsys.readouterr().out
    assert "KL to the model 0.01 [0, 0.02] nats per token, 10.00% [0.00%, 20.00%] of 50 tokens flip" in said
    assert "serve it     cat ./model-copied-int4/weights" in said
    assert "measure it   ptx eval model=./model-copied-int4 runtime=copied" in said


def test_the_folder_can_be_named_and_nothing_is_overwritten(here, capsys):
    assert main("export", ["model=./model", "runtime=copied", "--to", "served"]) == 0
    with pytest.raises(ConfigError, match="served exists already; remove it"):
        main("export", ["model=./model", "runtime=copied", "--to", "served"])


def test_what_makes_no_package_is_refused_together(here):
    with pytest.raises(ConfigError) as caught:
        main("export", ["model=./model", "runtime=hf", "compress=[gptq]"])
    said = [str(problem) for problem in caught.value.problems]
    assert "runtime=hf serves a model folder as it is" in said[0]
    assert "copied" in said[0]
    assert "ptx export takes no compress" in said[1]
