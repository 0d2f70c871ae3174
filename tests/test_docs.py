"""What the documents say is so: hook signatures, and every snippet of the README and the plugin guide
runs.
"""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from ptx.cli import main
from ptx.hooks.host import get_host

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "plugins.md").read_text()
README = (ROOT / "README.md").read_text()


def hooks():
    tree = ast.parse((ROOT / "ptx" / "hooks" / "hookspecs.py").read_text())
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
    return [
        line.removeprefix("$ ").partition("  #")[0].strip() for line in lines if line.startswith("$ ptx ")
    ]


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


#: what a command matches -> words that bound its sizes and leave alone what it does
BOUNDS = {
    r"ptx train (?!recipe)": "method.max_steps=2 method.batch_size=8",
    r"recipe=sft_dpo_safety": " ".join(
        f"recipe.steps.{step}.max_steps=2 recipe.steps.{step}.batch_size=8"
        for step in ("sft", "dpo", "safety")
    ),
    r"ptx (train|compress)": "data.limit=16",
    r"ptx train": "eval.forgetting.limit=4",
    r"ptx (train|compress|eval|sweep)(?!.*eval=\[(latency|brevity)\])": "eval.bench.limit=2",
    r"ptx (train|compress|eval|sweep)(?!.*eval=\[(?!.*latency))": (
        "eval.latency.repeats=2 eval.latency.warmup=1 eval.latency.new_tokens=2"
    ),
    r"eval=.*safety": "eval.safety.limit=2 eval.safety.max_new_tokens=16",
    r"eval=.*reliability": (
        "eval.reliability.limit=4 eval.reliability.samples=2 eval.reliability.max_new_tokens=16"
    ),
    r"eval=.*judge": "eval.judge.limit=4 eval.judge.max_new_tokens=16",
}


def bounded(command):
    return " ".join([command, *(words for pattern, words in BOUNDS.items() if re.search(pattern, command))])


@pytest.fixture
def latency_in_this_process(monkeypatch):
    """That it is measured in a fresh one is the claim of ``ptx_latency``'s tests; twenty of them would import
    the ML libraries for minutes.
    """
    from ptx_latency import child

    monkeypatch.setattr(
        "ptx_latency.evaluate.call_child", lambda _run, _config, arguments: child.main(*arguments)
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_readme_runs(command, readme_folder, monkeypatch, request):
    """As typed (in this process, which imports the ML libraries once) and bounded; latency in a process of
    its own where a command is about it.
    """
    if "eval=[latency]" not in command:
        request.getfixturevalue("latency_in_this_process")
    monkeypatch.chdir(readme_folder)
    get_host.cache_clear()
    assert main(shlex.split(bounded(command))[1:]) == 0


@pytest.fixture(autouse=True)
def other_tests_do_not_see_the_ptxfile():
    yield
    get_host.cache_clear()
