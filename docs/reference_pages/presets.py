"""The page of the YAML files that ptx comes with: presets, recipes, gates, definitions of reports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ptx.config import GROUPS
from reference_pages.text import page, shown, table

ROOT = Path(__file__).resolve().parents[2]
PRESETS_INTRO = """\
A preset is a YAML file that names a choice and sets some of its fields. It may stand wherever the choice may.
[Your own sweep](../how-to/own-sweep.md#presets-one-choice-several-settings) says how to write one."""
OWN_DEFINITION = "[how to write one](../how-to/gate-in-ci.md#what-the-report-shows)."


def presets_of(folders: Sequence[Path], group: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Name, opening comment and content of every YAML file of a group, by name."""
    paths = sorted(
        (path for folder in folders for path in (folder / group).glob("*.yaml")), key=lambda p: p.stem
    )
    return [(path.stem, comment_of(path), content_of(path)) for path in paths]


def content_of(path: Path) -> dict[str, Any]:
    """A YAML file as plain data."""
    content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def comment_of(path: Path) -> str:
    """The comment that a file opens with, without a first line that only repeats its name."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(re.sub(r"^\w+=\[?[\w.]+\]?(:|$)\s*", "", line.lstrip("# ").strip()))
    return " ".join(line for line in lines if line)


def presets_page() -> tuple[str, str]:
    """Presets by group, recipes with their steps, gates with their constraints, definitions of reports."""
    plugins = sorted(path for path in (ROOT / "plugins").glob("ptx_*/conf"))
    folders = [ROOT / "conf", *plugins]
    parts = [[PRESETS_INTRO]]
    for group in GROUPS:
        rows = []
        for name, comment, content in presets_of(folders, group):
            of = ", ".join(str(one) for one in content.pop("defaults", []) if one != "_self_")
            rows.append((f"`{name}`", f"`{of}`", f"`{shown(content)}`", comment))
        if rows:
            parts.append([f"## `{group}`", "", *table(("preset", "of", "sets", "what"), rows)])
    parts.append(
        ["## Recipes", "", "`recipe=NAME`: steps in order; every field of a step can be set and swept."]
    )
    parts += [recipe_part(*preset) for preset in presets_of(folders, "recipe")]
    parts.append(["## Gates", "", "`ptx gate SWEEP gate=NAME`: [how to use one](../how-to/gate-in-ci.md)."])
    parts += [gate_part(*preset) for preset in presets_of(folders, "gate")]
    parts.append(["## Report definitions", "", "`ptx report SWEEP --definition NAME`: " + OWN_DEFINITION])
    parts += [definition_part(*preset) for preset in presets_of(folders, "report")]
    return page("presets.md", "Presets, recipes and gates", *parts)


def recipe_part(name: str, comment: str, content: dict[str, Any]) -> list[str]:
    """The section of one recipe; one with ``rounds`` repeats the steps of ``each``."""
    rows = []
    for step, settings in content.get("steps", content.get("each", {})).items():
        kind = next(kind for kind in ("method", "compress", "make") if kind in settings)
        rest = {key: value for key, value in settings.items() if key != kind}
        rows.append((f"`{step}`", f"`{kind}={settings[kind]}`", f"`{shown(rest)}`" if rest else ""))
    repeated = []
    if "rounds" in content:
        ramp = f", with `{shown(content['ramp'])}` reached in equal parts" if "ramp" in content else ""
        repeated = [f"{content['rounds']} rounds of these steps{ramp}:", ""]
    text = " ".join(part for part in (content.get("why", ""), comment) if part)
    return [f"### `recipe={name}`", "", text, "", *repeated, *table(("step", "is", "sets"), rows)]


def definition_part(name: str, comment: str, content: dict[str, Any]) -> list[str]:
    """The section of one definition of a report."""
    rows = [
        [f"`{field}`", ", ".join(map(str, [value] if isinstance(value, str) else value))]
        for field, value in content.items()
    ]
    return [
        f"### `--definition {name}`",
        "",
        comment.partition(" ptx report ")[0].strip(),
        "",
        *table(("field", "value"), rows),
    ]


def gate_part(name: str, comment: str, content: dict[str, Any]) -> list[str]:
    """The section of one gate."""
    rows = []
    for constraint, bound in content.items():
        rest = {key: value for key, value in bound.items() if key not in ("metric", "why")}
        rows.append((f"`{constraint}`", f"`{bound['metric']}`", f"`{shown(rest)}`", bound.get("why", "")))
    intro = comment.partition("   ")[0].partition(" ptx gate ")[0]
    return [f"### `gate={name}`", "", intro, "", *table(("constraint", "metric", "bound", "why"), rows)]
