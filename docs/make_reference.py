"""Write docs/reference/ from the code: groups, choices, fields, presets, metrics, hooks, plugins and verbs.

    python docs/make_reference.py            write the pages
    python docs/make_reference.py --check    exit with 1 where a page differs from the code

The sources are the dataclasses of the built-in plugins, ``ptx.config.GROUPS``, the YAML files of presets, and
``ptx/hooks/hookspecs.py``, which is read as text. No ML library is imported, and none has to be installed:
every built-in plugin imports without its libraries. Plugins of other distributions are left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # the test that loads this file does not put it there

from reference_pages.groups import group_pages
from reference_pages.objects import objects_page
from reference_pages.parts import findings_page, hooks_page, metrics_page, plugins_page, verbs_page
from reference_pages.presets import presets_page
from reference_pages.text import NOTE, module_of

from ptx.hooks.host import Host, load_host

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "reference"


def built_in() -> Host:
    """The built-in plugins alone, whatever else is installed and whatever the variables say."""
    host = load_host(PAGES, {})
    own = {"ptx.builtin", *(path.parent.name for path in (ROOT / "plugins").glob("ptx_*/__init__.py"))}
    host.plugins = [plugin for plugin in host.plugins if module_of(plugin) in own]
    broken = [f"{plugin.origin}: {plugin.error}" for plugin in host.plugins if plugin.error]
    if broken:
        sys.exit("a built-in plugin cannot be imported: " + "; ".join(broken))
    host.owners = {key: owner for key, owner in host.owners.items() if module_of(owner) in own}
    host.choices = {key: choice for key, choice in host.choices.items() if key in host.owners}
    return host


def pages() -> dict[Path, str]:
    """The path and the text of every generated page."""
    host = built_in()
    made = [*group_pages(host), presets_page(), metrics_page(host), hooks_page(host), findings_page()]
    made += [plugins_page(host), verbs_page(host), objects_page()]
    return {PAGES / name: text for name, text in made}


def different(made: Mapping[Path, str]) -> list[str]:
    """Names of the pages that differ from the code, are missing, or are generated no longer."""
    found = [
        path.name
        for path, text in made.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    old = [
        path for path in PAGES.glob("*.md") if path not in made and NOTE in path.read_text(encoding="utf-8")
    ]
    return sorted(found + [path.name for path in old])


def main() -> int:
    """Write the pages, or compare them; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/reference/ from the code.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 where a page differs"
    )
    check = parser.parse_args().check
    made = pages()
    found = different(made)
    if check:
        for name in found:
            print(f"docs/reference/{name} differs from the code; run python docs/make_reference.py")
        return 1 if found else 0
    PAGES.mkdir(exist_ok=True)
    for name in found:
        if PAGES / name in made:
            (PAGES / name).write_text(made[PAGES / name], encoding="utf-8")
        else:
            (PAGES / name).unlink()
    print(f"{len(made)} pages, {len(found)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
