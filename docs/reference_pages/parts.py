"""The pages of the parts of ptx: findings, metrics, hooks, plugins, verbs."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ptx.cli import VERBS
from ptx.data.findings.catalogue import CATALOGUE
from ptx.hooks import hookspecs
from ptx.hooks.host import Host, Plugin
from reference_pages.groups import typed
from reference_pages.text import anchor, listed, module_of, page, plain, summary, table

HOOKSPECS = Path(hookspecs.__file__)
FINDINGS_INTRO = """\
What `ptx check` and the plan of a run find in rows and in the files of a model, by name.
`check.allow=[NAME]` waives a finding where it can be waived. [Your own data](../how-to/own-data.md) says
what stops a run and what is noted."""
METRICS_INTRO = """\
A part of a name in braces stands for something that differs, such as a task.
[Statistics](../explanation/statistics.md) says how each interval is computed."""
HOOKS_INTRO = """\
A plugin is a module with functions named as below and marked `@ptx.hookimpl`. A function may take
any subset of the arguments, by name. [Your own plugin](../how-to/own-plugin.md) shows how.

A *collected* hook asks every plugin. A *first-result* hook takes the first answer that is not `None`."""
PLUGINS_INTRO = """\
The built-in plugins are found as any other plugin is: by the entry point group `ptx`. `PTX_DISABLE=NAME`
(the name without `ptx_`) leaves one out."""
VERBS_INTRO = """\
`ptx VERB --help` shows the options and examples.

- `--quiet` may stand behind any verb: only results and failures are printed.
- `--json` prints a list or a diagnosis for a program: `ptx plugins`, `ptx runs ls`, `ptx runs show`,
  `ptx store ls`, `ptx check`, `ptx advise`, `ptx doctor`, `ptx gate`, `ptx import`.
- Colours and progress bars are for terminals only."""
ONE = """\
a run failed; of `ptx gate`: a constraint fails; of `ptx store verify`: an entry is broken; of `ptx doctor`:
a line is marked !!; the disk or the memory is full""".replace("\n", " ")


def findings_page() -> tuple[str, str]:
    """The findings of ``ptx check`` on rows, with what comes of each and how it is corrected."""
    rows = [
        (f"`{name}`", kind.why, kind.fix or "said with the finding", "no" if kind.final else "yes")
        for name, kind in CATALOGUE.items()
    ]
    listed = table(("finding", "what comes of it", "what to do", "can be waived"), rows)
    return page("findings.md", "Findings on data", [FINDINGS_INTRO], listed)


def metrics_page(host: Host) -> tuple[str, str]:
    """What every evaluator measures, as its class declares it."""
    parts = [[METRICS_INTRO]]
    for name in host.names("eval"):
        declared = metrics_of(host.choices["eval", name].config_type)
        if declared:
            width = max(len(row) for row in declared)
            head = ("metric", "what") if width == 2 else ("metric", "unit", "better", "what")
            parts.append([f"## `eval=[{name}]`", "", *table(head if width > 1 else ("metric",), declared)])
    return page("metrics.md", "Metrics", *parts)


def metrics_of(config_type: type) -> list[tuple[str, ...]]:
    """The metrics an evaluator's class declares, as rows of a table."""
    declared: Any = getattr(config_type, "metrics", ())
    if isinstance(declared, Mapping):
        return [(f"`{name}`", str(what)) for name, what in declared.items()]
    return [
        (f"`{one}`",) if isinstance(one, str) else (f"`{one[0]}`", *map(str, one[1:])) for one in declared
    ]


def hooks() -> list[ast.FunctionDef]:
    """The hooks of hookspecs.py in their order, as syntax."""
    tree = ast.parse(HOOKSPECS.read_text(encoding="utf-8"))
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("ptx_")]


def signature(hook: ast.FunctionDef) -> str:
    """A hook as it is declared: ``name(argument: Type) -> Type``."""
    arguments = ", ".join(ast.unparse(argument) for argument in hook.args.args)
    assert hook.returns is not None
    return f"{hook.name}({arguments}) -> {ast.unparse(hook.returns)}"


def hooks_page(host: Host) -> tuple[str, str]:
    """Every hook with its signature, its manual and who implements it."""
    parts = [[HOOKS_INTRO]]
    for hook in hooks():
        first = any("firstresult=True" in ast.unparse(mark) for mark in hook.decorator_list)
        text = plain(ast.get_docstring(hook) or "").splitlines()
        users = [module_of(one) for one in host.plugins if hook.name in implemented(one)]
        kind = "First result" if first else "Collected"
        known = [] if kind in " ".join(text) else [f"{kind}.", ""]
        parts.append([f"## `{signature(hook)}`", "", *known, *text, "", f"Implemented by: {listed(users)}."])
    return page("hooks.md", "Hooks", *parts)


def implemented(plugin: Plugin) -> list[str]:
    """The hooks that a plugin's module implements, by their names in hookspecs.py."""
    found = []
    for name, value in sorted(vars(plugin.module).items()):
        mark = getattr(value, "ptx_impl", None)
        if mark is not None:
            found.append(mark.get("specname") or name)
    return sorted(set(found))


def plugins_page(host: Host) -> tuple[str, str]:
    """What every built-in plugin contributes."""
    rows = []
    for plugin in sorted(host.plugins, key=lambda one: (one.origin != "ptx.builtin", one.origin)):
        choices = [c for key, c in host.choices.items() if host.owners[key] is plugin]
        verbs = [command.name for command in getattr(plugin.module, "ptx_commands", list)()]
        gives = [f"[`{typed(c)}`]({c.group}.md#{anchor(typed(c))})" for c in choices]
        gives += [f"`ptx {verb}`" for verb in verbs]
        used = [hook for hook in implemented(plugin) if hook not in ("ptx_choices", "ptx_commands")]
        rows.append((f"`{module_of(plugin)}`", summary(plugin.module), ", ".join(gives), listed(used)))
    text = [
        PLUGINS_INTRO,
        "",
        *table(("plugin", "what", "gives", "hooks"), rows),
    ]
    return page("plugins.md", "Built-in plugins", text)


def verbs_page(host: Host) -> tuple[str, str]:
    """The verbs of the command line, and those of plugins."""
    rows = [(f"`ptx {verb}`", what, "") for verb, (_, what) in VERBS.items()]
    for plugin in host.plugins:
        for command in getattr(plugin.module, "ptx_commands", list)():
            rows.append((f"`ptx {command.name}`", command.help, f"`{module_of(plugin)}`"))
    text = [VERBS_INTRO, "", *table(("verb", "what", "plugin"), rows)]
    codes = table(
        ("exit code", "when"),
        [
            (0, "all went well; of `ptx gate`: a model ships (`--require` says which)"),
            (1, ONE),
            (2, "the command, its settings, its data or its model is wrong; nothing was started"),
            (3, "of `ptx gate`: undecided, as something was not measured or on too few items"),
            (70, "a fault of ptx or of a plugin: `PTX_TRACE=1` prints how it came to it"),
            (130, "interrupted (Ctrl-C, SIGTERM, a closed terminal); the same command continues"),
        ],
    )
    return page("verbs.md", "Verbs and exit codes", text, codes)
