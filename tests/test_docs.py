"""What the documents say is so: links resolve, generated pages equal the code, and commands run.

The README, the tutorial and the how-tos are read as scripts, from top to bottom:

- a block of Python or YAML whose first line is ``# NAME.py`` or ``# NAME.yaml`` is that file;
- the commands of a ``console`` block run, with their sizes bounded by :data:`BOUNDS`;
- those of a ``console compose`` block are checked by ``--dry-run``;
- a ``console not-run`` block stands beside the words "Not run here" and the reason.

The commands of the explanations compose (``--cfg job``).
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ptx.cli import main
from ptx.hooks.host import get_host, load_host

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
README = ROOT / "README.md"
EXPLANATIONS = sorted((DOCS / "explanation").glob("*.md"))
SCRIPTS = [README, DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]
PAGES = [README, *sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*/README.md")), ROOT / "CONTRIBUTING.md"]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


# ---- links


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_resolves(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if re.match(r"\w+:", path):
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.name != "CONTRIBUTING.md"], ids=named
)  # patterns of names
def test_every_file_of_the_repository_that_is_mentioned_is_there(page):
    mentioned = re.findall(
        r"`(?:python )?((?:sweeps|benchmarks|plugins|tests|docs|ptx)/[\w./-]+?)[/.]?(?=[ `])",
        page.read_text(),
    )
    assert [path for path in mentioned if not (ROOT / path).exists() and "NAME" not in path] == []


def test_every_page_that_the_code_mentions_is_there():
    sources = [path for folder in ("ptx", "plugins", "conf", "sweeps") for path in (ROOT / folder).rglob("*")]
    mentioned = {
        page
        for path in sources
        if path.suffix in (".py", ".yaml")
        for page in re.findall(r"docs/[\w/-]+\.md", path.read_text(encoding="utf-8"))
    }
    assert {page for page in mentioned if not (ROOT / page).exists()} == set()


def test_every_page_is_reached_from_the_index():
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or DOCS not in page.parents:
            continue
        reached.add(page)
        waiting += [
            (page.parent / link).resolve() for link in re.findall(r"\]\(([^)\s#:]+\.md)", page.read_text())
        ]
    assert sorted(map(named, set(DOCS.rglob("*.md")) - reached)) == []


# ---- the reference


@pytest.fixture(scope="module")
def make_reference():
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_reference_is_what_the_code_says(make_reference):
    differ = make_reference.different(make_reference.pages())
    assert differ == [], "run python docs/make_reference.py"


def test_the_generator_imports_no_ml_library_and_does_not_look_at_the_environment(tmp_path):
    (tmp_path / "ptxfile.py").write_text("raise RuntimeError('not a built-in plugin')")
    check = (
        "import runpy, sys; sys.argv = ['make_reference.py', '--check'];"
        f" module = runpy.run_path({str(DOCS / 'make_reference.py')!r});"
        " print(len(module['different'](module['pages']())), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check],
        cwd=tmp_path,
        env={"PTX_DISABLE": "sft"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "0 False\n", done.stderr


def hooks():
    tree = ast.parse((ROOT / "ptx" / "hooks" / "hookspecs.py").read_text())
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("ptx_")]


@pytest.mark.parametrize("hook", hooks(), ids=lambda hook: hook.name)
def test_every_hook_stands_in_the_reference_with_its_exact_signature(hook):
    arguments = ", ".join(ast.unparse(argument) for argument in hook.args.args)
    heading = f"## `{hook.name}({arguments}) -> {ast.unparse(hook.returns)}`\n"
    assert heading in (REFERENCE / "hooks.md").read_text()


def test_every_hook_has_an_example_that_runs():
    """The blocks load and their commands run in the tests of all pages."""
    page = "\n".join(block.text for block in blocks(DOCS / "how-to" / "hooks-by-example.md"))
    assert [hook.name for hook in hooks() if f"def {hook.name}(" not in page] == []


@pytest.mark.parametrize("hook", hooks(), ids=lambda hook: hook.name)
def test_every_hook_is_used_in_a_test(hook):
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path.name != "test_docs.py"]
    assert any(hook.name in path.read_text() for path in tests)


def test_every_plugin_of_the_table_is_installed_and_the_other_way_round():
    from importlib.metadata import entry_points

    table = (REFERENCE / "plugins.md").read_text()
    listed = set(re.findall(r"^\| `(ptx_\w+)`", table, re.MULTILINE))
    installed = {point.value for point in entry_points(group="ptx") if point.value.startswith("ptx_")}
    assert listed == installed - {"ptx_example"}


def test_every_choice_and_every_field_stands_in_the_reference():
    import dataclasses

    host = load_host(REFERENCE, {})
    for (group, name), choice in host.choices.items():
        if not host.owners[group, name].origin.startswith(("ptx_example", "ptxfile")):
            page = (REFERENCE / f"{group}.md").read_text()
            assert re.search(rf"^## `\w+[=.]\[?{name}\]?`$", page, re.MULTILINE), f"{group}={name}"
            assert all(f".{field.name}` |" in page for field in dataclasses.fields(choice.config_type))


def test_the_public_face_names_everything_that_ptx_exports():
    import ptx

    page = (REFERENCE / "public-face.md").read_text()
    assert [name for name in ptx.__all__ if f"`{name}`" not in page and f"`ptx.{name}`" not in page] == []


def test_what_the_public_face_names_is_there():
    """Modules by their files and names by their syntax: torch-side modules are not imported."""
    page = (REFERENCE / "public-face.md").read_text()
    for module, names in re.findall(r"^\| `(ptx[\w.]*)` \| ([^|]*) \|", page, re.MULTILINE):
        path = ROOT / module.replace(".", "/")
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        assert file.exists(), module
        tree = ast.parse(file.read_text())
        defined = {getattr(node, "name", "") for node in tree.body} | {
            getattr(alias, "asname", None) or alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        defined |= {
            t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if hasattr(t, "id")
        }
        assert [name for name in re.findall(r"`(\w+)`", names) if name not in defined] == [], module


def test_examples_and_templates_import_only_what_the_public_face_names():
    """A stranger finds every name of an example on the page of the public face, and its signature beside."""
    page = (REFERENCE / "public-face.md").read_text()
    named_there: dict[str, str] = {}
    for modules, names in re.findall(r"^\| (`ptx[^|]*) \| ([^|]*) \|", page, re.MULTILINE):
        for module in re.findall(r"`([\w.]+)`", modules):
            named_there[module] = named_there.get(module, "") + names
    texts = [block.text for page in SCRIPTS for block in blocks(page) if block.language == "python"]
    texts += [path.read_text() for path in (ROOT / "ptx" / "cli" / "scaffold").rglob("*.jinja")]
    used = {
        (module, name)
        for text in texts
        for module, names in re.findall(r"^ *from (ptx(?:\.\w+)+) import ([\w, ]+)$", text, re.MULTILINE)
        for name in names.split(", ")
    }
    assert len(used) > 15
    unnamed = {
        f"{module}: {name}"
        for module, name in used
        if f"`{name}`" not in named_there.get(module, "") and f"{module}.{name}" not in named_there
    }
    assert sorted(unnamed) == []


# ---- pages as scripts


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the word behind that, its text, and the page around it."""

    language: str
    mark: str
    text: str
    around: str


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in re.finditer(r"^```(\w+) ?([\w-]*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        around = text[max(0, found.start() - 400) : found.end() + 400]
        yield Block(*found.groups(), around)


def file_of(block: Block) -> str:
    """The name of the file that a block is, from its first line; or nothing."""
    found = re.match(r"# ([\w./-]+\.(?:py|yaml))\n", block.text)
    return found[1] if found and block.language in ("python", "yaml") else ""


def commands(block: Block) -> list[str]:
    """The ptx commands of a console block, joined over continued lines, without comments."""
    lines = block.text.replace("\\\n", " ").splitlines()
    found = [line.removeprefix("$ ").partition("  #")[0].strip() for line in lines if line.startswith("$ ")]
    return [line for line in found if re.match(r"(\w+=\S+ )*ptx ", line)]


#: what a command matches -> words that bound its sizes and leave alone what it does
BOUNDS = {
    r"ptx train (?!recipe)": "method.max_steps=1 method.batch_size=8",
    r"ptx (train|compress)(?!.*data.limit)": "data.limit=16",
    r"ptx train(?!.*eval=\[\])": "eval.forgetting.limit=2",
    r"ptx (train|compress|eval)(?!.*eval=\[)": "eval.bench.limit=2",
    r"ptx (train|compress|eval).*eval=.*bench": "eval.bench.limit=2",
    r"ptx (train|compress|eval)((?!.*eval=\[)|.*eval=.*latency)": (
        "eval.latency.repeats=2 eval.latency.warmup=1 eval.latency.new_tokens=2"
    ),
    r"eval=.*safety": "eval.safety.limit=2 eval.safety.max_new_tokens=16",
    r"eval=.*reliability": (
        "eval.reliability.limit=4 eval.reliability.samples=2 eval.reliability.max_new_tokens=16"
    ),
    r"eval=.*judge": "eval.judge.limit=4 eval.judge.max_new_tokens=16",
}


def bounded(command: str) -> list[str]:
    """The words behind ``ptx`` with the bounds; a bound takes the place of the same word."""
    words = shlex.split(command)
    for pattern, more in BOUNDS.items():
        if re.search(pattern, command):
            names = {word.partition("=")[0] for word in more.split()}
            words = [word for word in words if word.partition("=")[0] not in names] + more.split()
    return words


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the pages talk of: a data file, a family of them, a model folder, a table with other columns."""
    import ptx_tiny

    rows = [{"question": f"What is {n} + {n}?", "answer": f"The answer is {2 * n}."} for n in range(1, 40)]
    (tmp_path / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "faq.csv").write_text("customer,agent\nIs it open?,Yes. It is.\nIs it far?,No. It is near.\n")
    (tmp_path / "my-model").symlink_to(ptx_tiny.MODEL_FOLDER)
    family = tmp_path / "family"
    family.mkdir()
    pairs = [{"prompt": row["question"], "chosen": row["answer"], "rejected": "No."} for row in rows]
    judged = {"labels": [True, False]}
    steps = [{"prompt": row["question"], "steps": [row["answer"], "No."], **judged} for row in rows]
    (tmp_path / "steps.jsonl").write_text("".join(json.dumps(row) + "\n" for row in steps))
    (family / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs))
    turns = [[("user", row["question"]), ("assistant", row["answer"])] for row in rows]
    chats = [{"messages": [{"role": role, "content": text} for role, text in chat]} for chat in turns]
    (family / "messages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chats))
    shutil.copytree(ROOT / "sweeps", tmp_path / "sweeps")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def latency_in_this_process(monkeypatch):
    """That it is measured in a fresh one is the claim of ``ptx_latency``'s tests; twenty of them would import
    the ML libraries for minutes.
    """
    from ptx_latency import child

    monkeypatch.setattr(
        "ptx_latency.evaluate.call_child", lambda _run, _config, arguments: child.main(*arguments)
    )


def run(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """A command as it is typed, in this process, which imports the ML libraries once."""
    with monkeypatch.context() as variables:
        while "=" in words[0]:
            variables.setenv(*words.pop(0).split("=", 1))
        if not (Path("ptxfile.py").exists() or "PTX_DISABLE" in os.environ):
            return main(words[1:])
        get_host.cache_clear()  # the plugins seen from here are others than those of the other tests
        try:
            return main(words[1:])
        finally:
            get_host.cache_clear()
            sys.modules.pop("ptxfile", None)


def runnable(page: Path) -> list[tuple[str, str]]:
    """What a page's script does, in order: ``("file", name)`` with its text, or ``("run", command)``."""
    found = []
    for block in blocks(page):
        if file_of(block):
            found.append((file_of(block), block.text))
        elif block.language == "console" and not block.mark:
            found += [("", command) for command in commands(block)]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in SCRIPTS if any(not f for f, _ in runnable(page))], ids=named
)
def test_every_command_of_the_page_runs(page, folder, warm, latency_in_this_process, monkeypatch):
    for name, text in runnable(page):
        if name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        else:
            # a small run may fail a gate, or be too small to decide it
            expected = (0, 1, 3) if text.startswith("ptx gate") else (0,)
            assert run(bounded(existing(text, folder)), monkeypatch) in expected, text


def existing(command: str, folder: Path) -> str:
    """The command with a key that is there, where the page shows one: keys depend on the machine."""
    keys = sorted(path.name for path in (folder / "ptx-out" / "store" / "steps").glob("*"))
    return re.sub(r"(?<=store why )[0-9a-f]{8}\b", keys[0][:8], command) if keys else command


@pytest.mark.parametrize("page", SCRIPTS, ids=named)
def test_every_file_of_the_page_is_valid(page, folder):
    """A ptxfile loads without a problem; YAML is a mapping."""
    import yaml

    for block in blocks(page):
        name = file_of(block)
        if name == "ptxfile.py":
            (folder / name).write_text(block.text)
            assert load_host(folder, {}).broken == []
        elif name.endswith(".py"):
            compile(block.text, name, "exec")
        elif name:
            assert isinstance(yaml.safe_load(block.text), dict)


def composed() -> list[tuple[str, str]]:
    """Page and command, of the blocks that are only composed."""
    return [
        (named(page), command)
        for page in SCRIPTS
        for block in blocks(page)
        if block.mark == "compose"
        for command in commands(block)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "command"), composed())
def test_every_command_that_is_only_composed_has_a_plan(page, command, folder, monkeypatch):
    for name, text in runnable(ROOT / page):
        if name.endswith(".yaml"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    assert run(shlex.split(f"{command} --dry-run"), monkeypatch) == 0


@pytest.mark.parametrize("page", SCRIPTS, ids=named)
def test_every_command_that_is_not_run_has_its_reason_beside_it(page):
    for block in blocks(page):
        assert block.mark in ("", "compose", "not-run"), block.text
        if block.mark == "not-run":
            assert re.search(r"[Nn]ot run here", block.around), block.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "command"),
    [
        (named(page), command)
        for page in EXPLANATIONS
        for block in blocks(page)
        if block.language == "console"
        for command in commands(block)
        if re.match(r"ptx (train|compress|eval) ", command)
    ],
)
def test_every_command_of_an_explanation_composes(page, command, folder, monkeypatch):
    for name in set(re.findall(r"(?<=[\[=,])\./[\w./-]+", command)):
        path = folder / name
        if not path.exists() and path.suffix:
            shutil.copy(folder / "my.jsonl", path)
        elif not path.exists():
            path.symlink_to(folder / "my-model")
    assert run(shlex.split(f"{command} --cfg job"), monkeypatch) == 0


# ---- the example of a QAT plugin


def test_the_noise_of_the_plugin_guide_is_as_wide_as_a_step_of_the_grid(folder):
    """It is drawn anew, is zero in evaluation, and is taken off again; the weights never change."""
    import torch

    host = load_host(folder_with_noise(folder), {})
    module = next(plugin.module for plugin in host.plugins if plugin.name == "ptxfile")
    network = Network()
    before = network.layer.weight.detach().clone()
    method = type("Method", (), {"qat": module.Noise(bits=3)})
    run = type("Run", (), {"say": lambda _, text: None})()
    wrapper = module.ptx_fit(run, method, type("Trainer", (), {"model": network}))
    next(wrapper)
    noise = network.layer(torch.eye(6)).T - before  # (outputs, inputs)
    step = (before.amax(1, keepdim=True) - before.amin(1, keepdim=True)) / 7
    assert (noise.abs() <= step / 2 + 1e-6).all()
    assert noise.abs().max() > 0
    assert not torch.equal(network.layer(torch.eye(6)).T - before, noise)
    network.eval()
    assert torch.equal(network.layer(torch.eye(6)).T, before)
    network.train()
    with pytest.raises(StopIteration):
        wrapper.send("trained")
    assert torch.equal(network.layer(torch.eye(6)).T, before)


def folder_with_noise(folder: Path) -> Path:
    (block,) = [b for b in blocks(DOCS / "how-to" / "own-plugin.md") if "class Noise" in b.text]
    (folder / "ptxfile.py").write_text(block.text)
    return folder


def Network():  # noqa: N802 (made where torch is imported)
    import torch

    class Made(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(6, 4, bias=False)
            self.output = torch.nn.Linear(4, 2)

        def get_output_embeddings(self):
            return self.output

    return Made()


# ---- the notebook


def kinds(notebook: dict) -> list[list[str]]:
    """Which values each cell shows, without what they say: times and paths differ.

    What is printed is left out: progress is shown where a cell takes long.
    """
    return [
        [kind for output in cell.get("outputs", []) for kind in output.get("data", {})]
        for cell in notebook["cells"]
    ]


@pytest.mark.slow  # a training and a sweep of three runs
def test_every_cell_of_the_notebook_runs_and_has_the_outputs_that_are_committed(warm, tmp_path):
    """In a process of its own: what earlier tests have opened and printed is not the reader's."""
    execute = (
        "import json, make_notebook as maker, pathlib, sys\n"
        "made = maker.executed(json.loads(maker.NOTEBOOK.read_text()), pathlib.Path(sys.argv[1]))\n"
        "pathlib.Path(sys.argv[2]).write_text(json.dumps(made))"
    )
    work, file = tmp_path / "work", tmp_path / "made.ipynb"
    work.mkdir()
    subprocess.run(
        [sys.executable, "-c", execute, work, file], check=True, env={**os.environ, "PYTHONPATH": DOCS}
    )
    committed = json.loads((DOCS / "how-to/python.ipynb").read_text())
    made = json.loads(file.read_text())
    assert kinds(made) == kinds(committed), "run make notebook"
    assert str(tmp_path) not in json.dumps(made)
