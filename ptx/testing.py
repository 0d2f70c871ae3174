"""Support for the tests of plugins: a pytest plugin that is loaded wherever ptx is installed.

Fixtures: ``tiny_model`` (the folder of the embedded model) and ``make_run`` (a :class:`ptx.Run` outside of
any sweep). :func:`check_plugin` asserts the rules that every plugin must keep.
"""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import ptx
from ptx.config import GROUPS, Evaluator, RunConfig
from ptx.hooks.host import Host, get_host
from ptx.hooks.offered import HEAVY
from ptx.hooks.run import Run
from ptx.records import Metric


class Silent:
    """A console that prints nothing and keeps the lines (``said``) and the progress (``steps``)."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[tuple[int, dict[str, float]]] = []

    def say(self, text: str) -> None:
        """Keep a line."""
        self.said.append(text)

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Keep the step and its metrics."""
        self.steps.append((step, metrics))


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """The folder of the embedded demonstration and test model."""
    host = get_host()
    value = host.choices["model", "tiny"].config_type()
    found: Path = host.first("ptx_resolve", value=value, cache=Path("unused"))
    return found


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """A function that makes a run: ``make_run(seed=1, device="cpu", host=..., eval={...})``.

    Further keywords are fields of :class:`ptx.RunConfig`.
    """

    def make(seed: int = 0, device: str = "cpu", host: Host | None = None, **config: Any) -> Run:
        folder = tmp_path / f"step-{len(list(tmp_path.glob('step-*')))}"
        checkpoints = folder.with_name(f"{folder.name}-checkpoints")
        folder.mkdir()
        checkpoints.mkdir()
        resolved = RunConfig(seed=seed, **config)
        return Run(
            resolved, host or get_host(), Silent(), folder, folder / "events.jsonl", checkpoints, seed, device
        )

    return make


#: what a plugin may import of ptx: these modules, and what lies in the last four
PUBLIC = (
    *("ptx", "ptx.data.rows", "ptx.files", "ptx.machine", "ptx.testing", "ptx.cli.plugin_commands"),
    "ptx.hooks.tracking",
    *("ptx.guard", "ptx.lm", "ptx.models", "ptx.stats"),
)
PUBLIC_ROOMS = ("ptx.guard.", "ptx.lm.", "ptx.models.", "ptx.stats.")


def internal_imports(folder: Path) -> list[str]:
    """Imports of ptx's internal modules in the Python files below ``folder``, as ``file:line: module``."""
    found = []
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
                if (
                    node.module == "ptx"
                ):  # ``from ptx import machine`` imports a module, ``... import Run`` a name
                    names += [f"ptx.{one.name}" for one in node.names if one.name not in ptx.__all__]
            elif isinstance(node, ast.Import):
                names = [one.name for one in node.names]
            else:
                continue
            inside = [name for name in names if name.startswith("ptx.")]
            found += [
                f"{file.relative_to(folder)}:{node.lineno}: {name}"
                for name in inside
                if name not in PUBLIC and not name.startswith(PUBLIC_ROOMS)
            ]
    return found


def check_plugin(module_name: str) -> None:
    """Assert the rules of a plugin.

    Importing it loads no ML library; it imports nothing internal to ptx; its choices have known groups, the
    right base class, and a sentence of help for themselves and for each field.
    """
    program = f"import sys, {module_name}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", f"importing {module_name} loads {done.stdout.strip()}"
    module = sys.modules.get(module_name) or __import__(module_name)
    if hasattr(module, "__path__"):
        inside = internal_imports(Path(module.__path__[0]))
        assert not inside, f"{module_name} imports what is internal to ptx: {', '.join(inside)}"
    for choice in getattr(module, "ptx_choices", list)():
        assert choice.group in GROUPS, f"{choice.name}: unknown group {choice.group}"
        assert issubclass(choice.config_type, GROUPS[choice.group][0]), f"{choice.name}: wrong base type"
        assert choice.help, f"{choice.group}={choice.name} has no help"
        for field in dataclasses.fields(choice.config_type):
            assert field.metadata.get("help"), (
                f"{choice.group}={choice.name}: field {field.name} has no help; use ptx.setting"
            )


def undeclared_metrics(evaluator: type[Evaluator], metrics: Iterable[Metric]) -> list[str]:
    """Names of measured metrics that the evaluator's class does not declare in ``metrics``."""
    declared = [re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(name))) for name in evaluator.metrics]
    return sorted({one.name for one in metrics if not any(name.fullmatch(one.name) for name in declared)})
