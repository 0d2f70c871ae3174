"""The rules that no linter knows: who may import whom, how long things are, and where their tests lie.

The layers inside ``ptx`` are contracts of import-linter (pyproject.toml). Whatever concerns plugins follows
from their folders: a plugin that comes is held by the rules, and one that goes leaves nothing behind.
"""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path

import grimp
import pytest

from ptx.testing import HEAVY, internal_imports

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(init.parent for init in (ROOT / "plugins").glob("ptx_*/__init__.py"))
SOURCES = sorted([*(ROOT / "ptx").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])
WRITTEN = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]

#: modules without a test file of their name, each with the reason
UNTESTED = {
    "ptx/__main__.py": "two lines; the tests of ptx.cli run `python -m ptx`",
}

#: test files that belong to no single module
ACROSS = {
    "tests/ptx/cli/test_faulty_plugins.py": "what a plugin does wrong, over the whole command line",
    "tests/ptx/cli/test_hostile.py": "malformed input of every kind, over the whole command line",
    "tests/ptx/cli/check/test_mistakes.py": "deliberate mistakes and good public layouts, over ptx check",
    "tests/ptx/cli/test_faults.py": "kill -9, a full disk and the like, over the whole command line",
    "tests/ptx/report/formats/test_escapes.py": "hostile text in every field, over all formats of a report",
    "tests/plugins/test_presets.py": "the presets of all plugins",
    "tests/plugins/ptx_hub/test_presets.py": "YAML in conf/model",
    "tests/plugins/ptx_prune/test_reference.py": "llm-compressor's solvers against slow ones",
    "tests/plugins/ptx_quant/test_traps.py": "what the libraries do by themselves, and ptx does not",
    "tests/plugins/ptx_sft/test_shared.py": "training on data that nobody here made",
    "tests/plugins/ptx_tiny/test_model.py": "the committed model folder",
}


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("ptx", *(folder.name for folder in PLUGINS), include_external_packages=True)


def top(module):
    return module.partition(".")[0]


def imports(graph, modules, forbidden):
    """``importer -> imported`` for every import that ``forbidden`` names."""
    return [
        f"{module} -> {imported}"
        for module in sorted(modules)
        for imported in sorted(graph.find_modules_directly_imported_by(module))
        if forbidden(module, imported)
    ]


def between_plugins(importer, imported):
    return top(imported).startswith("ptx_") and top(imported) != top(importer)


def test_plugins_never_import_each_other(graph):
    assert (
        imports(graph, [one for one in graph.modules if top(one).startswith("ptx_")], between_plugins) == []
    )


def test_nothing_above_the_plugins_imports_an_ml_library_or_a_plugin(graph):
    libraries = {*HEAVY, "accelerate", "optimum"}
    core = [one for one in graph.modules if top(one) == "ptx" and not one.startswith("ptx.lm")]

    def forbidden(_, imported):
        return top(imported) in libraries or imported.startswith("ptx.lm") or top(imported).startswith("ptx_")

    assert imports(graph, core, forbidden) == []


def test_ptx_lm_imports_no_plugin(graph):
    inside = [one for one in graph.modules if one.startswith("ptx.lm")]
    assert imports(graph, inside, between_plugins) == []


@pytest.mark.parametrize(
    "folder", [*PLUGINS, ROOT / "tests" / "example_plugin"], ids=lambda folder: folder.name
)
def test_a_plugin_imports_only_the_public_face_of_ptx(folder):
    assert internal_imports(folder) == []


def test_a_plugin_that_breaks_the_rules_is_found_by_its_folder_alone(tmp_path, monkeypatch):
    folder = tmp_path / "ptx_stranger"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from ptx.store.locks import held\nimport ptx_dpo\nimport ptx.plan.keys\n"
    )
    assert internal_imports(folder) == ["__init__.py:1: ptx.store.locks", "__init__.py:3: ptx.plan.keys"]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    graph = grimp.build_graph("ptx_stranger", "ptx_dpo", include_external_packages=True, cache_dir=None)
    assert imports(graph, ["ptx_stranger"], between_plugins) == ["ptx_stranger -> ptx_dpo"]


def test_the_listing_of_ptx_is_short():
    assert len([path for path in (ROOT / "ptx").iterdir() if path.name != "__pycache__"]) <= 23


def relative(path):
    return str(path.relative_to(ROOT))


def functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def parameters(node):
    given = node.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return [one.arg for one in named if one.arg not in ("self", "cls")]


def test_no_line_is_longer_than_110_columns():
    long = [
        f"{relative(path)}:{number}"
        for path in WRITTEN
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 110
    ]
    assert long == []


def test_no_source_file_is_longer_than_350_lines():
    lengths = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > 350} == {}


def test_no_function_is_longer_than_60_lines():
    lengths = {
        f"{relative(path)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in SOURCES
        for node in functions(path)
    }
    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}


def test_no_function_takes_more_than_8_parameters():
    counts = {
        f"{relative(path)}:{node.name}": len(parameters(node)) for path in SOURCES for node in functions(path)
    }
    assert {name: count for name, count in counts.items() if count > 8} == {}


def test_no_configuration_has_more_than_14_fields_of_its_own():
    from ptx import get_host

    counts = {}
    for choice in get_host().choices.values():
        own = inspect.get_annotations(choice.config_type).values()
        counts[f"{choice.group}={choice.name}"] = sum("ClassVar" not in str(kind) for kind in own)
    assert {name: count for name, count in counts.items() if count > 14} == {}


def has_code(path):
    """Whether a package's ``__init__`` does more than say what the package is and hand names on."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(
        not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr | ast.Assign)
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) not in ("__all__", "__version__"))
        for node in body
    )


def test_of(path):
    """Where the tests of a module lie."""
    name = path.parent.name.removeprefix("ptx_") if path.stem == "__init__" else path.stem
    return ROOT / "tests" / path.relative_to(ROOT).parent / f"test_{name}.py"


test_of.__test__ = False


def test_every_module_has_a_test_file_of_its_name_or_a_reason_why_not():
    missing = [
        relative(path)
        for path in SOURCES
        if (path.stem != "__init__" or has_code(path)) and not test_of(path).exists()
    ]
    assert sorted(set(missing) - set(UNTESTED)) == []


def test_every_exception_is_still_one():
    gone = [name for name in UNTESTED if not (ROOT / name).exists() or test_of(ROOT / name).exists()]
    assert gone == []


def test_every_test_file_belongs_to_a_module_or_says_what_it_is_across():
    homes = {test_of(path) for path in SOURCES}
    files = [path for part in ("ptx", "plugins") for path in (ROOT / "tests" / part).rglob("test_*.py")]
    assert sorted({relative(path) for path in files if path not in homes}) == sorted(ACROSS)
