"""What the documents say is so: hook signatures, and every snippet of the README and the plugin guide runs."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from ptx.cli import main
from ptx.host import get_host

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "plugins.md").read_text()
README = (ROOT / "README.md").read_text()


def hooks():
    tree = ast.parse((ROOT / "ptx" / "hookspecs.py").read_text())
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("ptx_")]


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("hook", hooks(), ids=lambda hook: hook.name)
def test_every_hook_stands_in_the_guide_with_its_exact_signature(hook):
    arguments = ", ".join(ast.unparse(argument) for argument in hook.args.args)
    assert f"`{hook.name}({arguments}) -> {ast.unparse(hook.returns)}`" in GUIDE


@pytest.mark.parametrize("hook", hooks(), ids=lambda hook: hook.name)
def test_every_hook_is_used_in_a_test(hook):
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path.name != "test_docs.py"]
    assert any(hook.name in path.read_text() for path in tests)


def test_every_plugin_of_the_table_is_installed_and_the_other_way_round():
    from importlib.metadata import entry_points

    named = set(re.findall(r"^\| `(ptx_\w+)`", README, re.MULTILINE))
    installed = {point.value for point in entry_points(group="ptx") if point.value.startswith("ptx_")}
    assert named == installed - {"ptx_example"}


def commands():
    """Every ptx command of the README, joined over continued lines."""
    lines = "\n".join(blocks(README, "console")).replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ").partition("  #")[0].strip() for line in lines if line.startswith("$ ptx ")]


@pytest.fixture(scope="module")
def readme_folder(tmp_path_factory):
    """A folder with the files the README talks of: its ptxfile, a data file, a model folder, task files."""
    import json
    import shutil

    import ptx_tiny

    folder = tmp_path_factory.mktemp("readme")
    (folder / "ptxfile.py").write_text(blocks(README, "python")[0])
    rows = [{"question": f"What is {n} + {n}?", "answer": f"The answer is {2 * n}."} for n in range(1, 40)]
    (folder / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shutil.copytree(ptx_tiny.MODEL_FOLDER, folder / "my-model")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_readme_runs(command, readme_folder, monkeypatch):
    """As typed (in this process, which imports the ML libraries once), except that trainings are cut to two steps and benchmarks to a few items."""
    short = ""
    if re.search(r"ptx (train|compress|eval|sweep)", command) and "--" not in command:
        if "recipe=sft_dpo_safety" in command:
            short += "".join(f" recipe.steps.{step}.max_steps=2" for step in ("sft", "dpo", "safety"))
        elif "ptx train" in command:
            short += " method.max_steps=2"
        if "ptx train" in command:
            short += " data.limit=64"
        if "eval=[latency]" not in command and "eval=[brevity]" not in command:
            short += " eval.bench.limit=2"
        if "latency" in command or "eval=" not in command:
            short += " eval.latency.repeats=2 eval.latency.new_tokens=2"
    monkeypatch.chdir(readme_folder)
    get_host.cache_clear()
    assert main(shlex.split(command + short)[1:]) == 0


@pytest.fixture(autouse=True)
def other_tests_do_not_see_the_ptxfile():
    yield
    get_host.cache_clear()
