"""A plugin is named once, by its folder: packaging finds one copied in and forgets one that is gone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("ptx", "plugins", "conf", "docs", "pyproject.toml", "setup.py", "README.md", "LICENSE")
PROBE = '''"""A plugin that was copied in."""

from dataclasses import dataclass

import ptx


@dataclass
class Probe(ptx.Scorer):
    """Scores nothing."""


@ptx.hookimpl
def ptx_choices():
    return [ptx.Choice("scorer", "probe", Probe, "a scorer that was copied in")]
'''


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy of the repository with one plugin more and one less."""
    source = tmp_path_factory.mktemp("source")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, source / part)
    probe = source / "plugins" / "ptx_probe"
    (probe / "data").mkdir(parents=True)
    (probe / "__init__.py").write_text(PROBE)
    (probe / "inner").mkdir()
    (probe / "inner" / "__init__.py").touch()
    (probe / "data" / "rows.jsonl").write_text("{}\n")
    shutil.rmtree(source / "plugins" / "ptx_hub")
    built = tmp_path_factory.mktemp("built")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(built), str(source)], check=True, capture_output=True)
    return next(built.glob("ptx-*.whl"))


def names_in(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.mark.slow
def test_a_plugin_copied_in_is_built_into_the_wheel_with_its_data_and_one_deleted_is_gone(wheel):
    names = names_in(wheel)
    assert {"ptx_probe/__init__.py", "ptx_probe/inner/__init__.py", "ptx_probe/data/rows.jsonl"} <= {*names}
    assert [name for name in names if name.startswith("ptx_hub")] == []


LOOK = """
import site, sys
site.addsitedir(sys.argv[2])  # the libraries; ptx itself is the unpacked wheel's
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ptx.hooks.host import load_host
host = load_host(Path.cwd(), {})
print([key in host.choices for key in (("scorer", "probe"), ("method", "dpo"), ("model", "hub"))])
print([plugin.error for plugin in host.plugins if plugin.error])
"""


@pytest.mark.slow
def test_a_plugin_copied_in_is_found_and_one_deleted_is_not_missed(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    command = [sys.executable, "-S", "-c", LOOK, str(tmp_path / "site"), site_packages()]
    nothing = {**os.environ, "PYTHONPATH": ""}
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=nothing)
    assert found.stdout.splitlines() == ["[True, True, False]", "[]"]


def site_packages():
    import pluggy

    return str(Path(pluggy.__file__).parents[1])


@pytest.mark.slow
def test_the_wheel_holds_every_file_that_is_not_python(wheel):
    names = {*names_in(wheel)}
    kept = [
        path.relative_to(folder)
        for folder in (ROOT / "plugins", ROOT)
        for start in (["."] if folder.name == "plugins" else ["ptx"])
        for path in (folder / start).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and "egg-info" not in str(path)
    ]
    assert [str(path) for path in kept if str(path) not in names and path.parts[0] != "ptx_hub"] == []
    assert {f"ptx/{path.relative_to(ROOT)}" for path in (ROOT / "conf").rglob("*.yaml")} <= names


SHOW = """
import sys
sys.path.insert(0, sys.argv[1])
from ptx.cli import main
sys.exit(main(["docs", sys.argv[2]]))
"""


@pytest.mark.slow
def test_every_page_of_the_documentation_can_be_shown_from_the_wheel_which_holds_no_script_of_it(
    wheel, tmp_path
):
    names = [name for name in names_in(wheel) if name.startswith("ptx/docs/")]
    pages = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.ipynb")]
    assert sorted(names) == sorted(f"ptx/{page.relative_to(ROOT)}" for page in pages)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    command = [sys.executable, "-c", SHOW, str(tmp_path / "site"), "other-environment"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert shown.stdout == (ROOT / "docs" / "how-to" / "other-environment.md").read_text()


def test_every_dependency_is_pinned_for_a_fresh_machine():
    with (ROOT / "pyproject.toml").open("rb") as file:
        wanted = tomllib.load(file)["project"]["dependencies"]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pinned = {canonical(line.partition("==")[0]) for line in lines if "==" in line}
    assert {canonical(re.split(r"[\[<>=!~; ]", one)[0]) for one in wanted} - pinned == set()


def canonical(name):
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()
