"""``ptx store ls|why|verify|gc``: list, explain, verify and clean up the store."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ptx.cli import gc
from ptx.cli.human import age_text, parse_age, parse_size, print_table, size_text
from ptx.cli.keys import (
    KEY_LENGTH,
    KnownKey,
    find_key,
    find_runs,
    known_keys,
    open_store,
    records_of,
    requested_by,
)
from ptx.cli.parser import Parser
from ptx.cli.why import explain
from ptx.errors import ConfigError, Problem
from ptx.store.store import KINDS, Entry, Store

EXAMPLES = """\
examples:
  ptx store ls --sort size
  ptx store why dpo-sparsegpt-5e6f7a8b      why its steps were found in the store or had to be run
  ptx store why 3fa2b1c0 77aa01de           in what two keys differ
  ptx store verify                          read every file again; exit code 1 if one is damaged
  ptx store gc --older-than 30d             show what would be deleted; --yes deletes it"""

GC_EXAMPLES = """\
examples:
  ptx store gc --keep-size 10GB --yes
  ptx store gc --unreachable-from train-sweep-1a2b3c4d
  ptx store gc --quarantine --staging --yes     delete damaged entries and leftovers of killed processes"""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Run one of the actions; returns the exit code."""
    options = _parser().parse_args(list(arguments))
    actions = {"ls": _list, "why": _why, "verify": _verify, "gc": _collect}
    return actions[options.action](options)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "ptx store",
        description="List, explain, verify and clean up the store of finished steps and evaluations.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = Parser(add_help=False)
    common.add_argument(
        "--out",
        metavar="OUT",
        type=Path,
        default=Path("ptx-out"),
        help="output folder of the runs and the store; default: ptx-out",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ls|why|verify|gc")
    ls = actions.add_parser(
        "ls",
        parents=[common],
        help="list the entries",
        description="List the entries, the last used first.",
        epilog="example: ptx store ls --kind steps --sort size",
    )
    ls.add_argument("--kind", choices=KINDS, help="only steps, evaluations or products")
    ls.add_argument("--sort", choices=["age", "size"], default="age", help="by last use (default) or by size")
    ls.add_argument("--json", action="store_true", help="print the list as JSON")
    why = actions.add_parser(
        "why",
        parents=[common],
        help="explain a key or a run",
        description="Explain field by field why a result was found in the store, or why not.",
        epilog="example: ptx store why dpo-sparsegpt-5e6f7a8b",
    )
    why.add_argument(
        "names",
        nargs="+",
        metavar="KEY|RUN",
        help="a key (or its first characters) or a run; two of them are compared",
    )
    verify = actions.add_parser(
        "verify",
        parents=[common],
        help="check that no file is damaged",
        description="Read every file and compare its digest with the recorded one.",
        epilog="example: ptx store verify --repair",
    )
    verify.add_argument("keys", nargs="*", metavar="KEY", help="check only these entries; default: all")
    verify.add_argument(
        "--repair",
        action="store_true",
        help="move damaged entries to quarantine, so that the next run builds them again",
    )
    _add_gc(actions, common)
    return parser


def _add_gc(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    text = (
        "Delete entries that meet all given conditions.\nWithout --yes nothing is deleted; the command shows"
        " what would be. Records of runs are never deleted."
    )
    collect = actions.add_parser(
        "gc",
        parents=[common],
        help="delete what is no longer needed",
        description=text,
        epilog=GC_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    collect.add_argument(
        "--older-than", metavar="AGE", type=parse_age, help="entries not used for this long: 30d, 12h"
    )
    collect.add_argument(
        "--larger-than", metavar="SIZE", type=parse_size, help="entries larger than this: 500MB, 2GB"
    )
    collect.add_argument(
        "--keep-size",
        metavar="SIZE",
        type=parse_size,
        help="delete the least recently used entries until the store is no larger than this",
    )
    collect.add_argument(
        "--unreachable-from", metavar="SWEEP", nargs="+", help="entries that no run of these sweeps needs"
    )
    collect.add_argument(
        "--quarantine", action="store_true", help="also the damaged entries that were moved to quarantine"
    )
    collect.add_argument(
        "--staging",
        action="store_true",
        help="also what killed processes left: unfinished work, checkpoints, locks",
    )
    collect.add_argument("--yes", action="store_true", help="delete; without it nothing is deleted")


def _list(options: argparse.Namespace) -> int:
    store = open_store(options.out)
    known = [one for one in known_keys(store, records_of(options.out)).values() if one.entry is not None]
    chosen = [one for one in known if options.kind in (None, one.kind)]
    chosen.sort(
        key=lambda one: _entry(one).bytes if options.sort == "size" else _entry(one).used, reverse=True
    )
    if options.json:
        print(json.dumps([_listed(one) for one in chosen], indent=2, ensure_ascii=False))
        return 0
    rows = []
    for one in chosen:
        entry, now = _entry(one), time.time()
        ages = [f"{age_text(now - moment)} ago" for moment in (entry.created, entry.used)]
        rows.append([one.kind, one.short, one.name, size_text(entry.bytes), *ages, _users(one)])
    print_table(["kind", "key", "choice", "size", "built", "used", "by"], rows)
    print(f"{_count(chosen, 'entry', 'entries')}, {size_text(sum(_entry(one).bytes for one in chosen))}")
    aside, dead = list((store.root / "quarantine").glob("*/*")), store.abandoned_work()
    if aside or dead:
        print(
            f"{len(aside)} in quarantine, {len(dead)} left by killed processes; ptx store gc --quarantine"
            " --staging deletes them"
        )
    return 0


def _listed(one: KnownKey) -> dict[str, Any]:
    """An entry as plain data; times are seconds since 1970."""
    entry = _entry(one)
    return {
        "kind": one.kind,
        "key": one.key,
        "choice": one.name,
        "bytes": entry.bytes,
        "built": entry.created,
        "used": entry.used,
        "runs": [f"{record.sweep_name}/{record.id}" for record in one.runs],
    }


def _entry(one: KnownKey) -> Entry:
    assert one.entry is not None
    return one.entry


def _count(things: Sequence[object], one: str, many: str) -> str:
    return f"{len(things)} {one if len(things) == 1 else many}"


def _users(one: KnownKey) -> str:
    """Return the sweeps whose runs need the entry: ``train-sweep-1a2b3c4d (3 runs)``."""
    sweeps: dict[str, int] = {}
    for record in one.runs:
        sweeps[record.sweep_name] = sweeps.get(record.sweep_name, 0) + 1
    return ", ".join(f"{name} ({runs} run{'s' if runs > 1 else ''})" for name, runs in sweeps.items()) or "-"


def _why(options: argparse.Namespace) -> int:
    if len(options.names) > 2:
        raise ConfigError(
            Problem(f"{len(options.names)} names were given", "one is explained, two are compared")
        )
    for line in explain(options.out, options.names):
        print(line)
    return 0


def _verify(options: argparse.Namespace) -> int:
    store = open_store(options.out)
    entries = {entry.key: entry for entry in store.entries()}
    for text in options.keys:
        if find_key(text, entries) is None:
            raise ConfigError(Problem(f"no key in the store begins with {text!r}", "ptx store ls lists them"))
    chosen = {find_key(text, entries) for text in options.keys} or set(entries)
    faults = _faults(store, [entry for key, entry in entries.items() if key in chosen])
    for entry, fault in faults:
        print(
            f"damaged: {entry.kind} {entry.key[:KEY_LENGTH]}"
            f" ({entry.ingredients.get('choice', 'unreadable')}): {fault}"
        )
        made = [
            other.key[:KEY_LENGTH]
            for other in entries.values()
            if (other.ingredients.get("input") or {}).get("step") == entry.key
        ]
        if made:
            print(f"  built from it, perhaps after the damage: {', '.join(made)}")
        if options.repair:
            aside = store.set_aside(entry, fault)
            print(f"  moved to {aside}" if aside else f"  not moved: {store.owner(entry.key)} uses it")
    print(f"{_count(list(chosen), 'entry', 'entries')} read, {len(faults)} damaged")
    if faults:
        print(
            "the next run that needs them builds them again"
            if options.repair
            else "ptx store verify --repair moves them to quarantine"
        )
    return 1 if faults else 0


def _faults(store: Store, entries: Sequence[Entry]) -> list[tuple[Entry, str]]:
    """Read the entries with a progress bar; returns the damaged ones with what is wrong."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    found = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=sum(entry.bytes for entry in entries))
        for entry in entries:
            fault = store.fault(entry.folder, digests=True, seen=lambda size: progress.advance(task, size))
            found += [(entry, fault)] if fault else []
    return found


def _collect(options: argparse.Namespace) -> int:
    store, records = open_store(options.out), records_of(options.out)
    reachable = None
    if options.unreachable_from:
        named = [record for name in options.unreachable_from for record in find_runs(options.out, name)]
        reachable = frozenset(asked.key for record in named for asked in requested_by(record))
    conditions = gc.Conditions(options.older_than, options.larger_than, options.keep_size, reachable)
    if not (conditions.any or options.quarantine or options.staging):
        raise ConfigError(
            Problem("no condition says what to delete", "ptx store gc --older-than 30d, or --help for more")
        )
    choice = gc.select(store.entries(), conditions, gc.in_use(store, records))
    folders = sorted((store.root / "quarantine").glob("*")) if options.quarantine else []
    folders += store.abandoned_work() if options.staging else []
    for entry, user in choice.kept:
        print(f"kept: {entry.kind} {entry.key[:KEY_LENGTH]} is needed by {user}")
    freed = sum(entry.bytes for entry in choice.deleted) + sum(gc.size_of(folder) for folder in folders)
    for entry in choice.deleted:
        done = not options.yes or store.remove(entry)
        unused = (
            f"unused for {age_text(time.time() - entry.used)}"
            if not options.yes
            else "deleted"
            if done
            else "kept: another process uses it"
        )
        print(
            f"{entry.kind} {entry.key[:KEY_LENGTH]}  {entry.ingredients.get('choice', 'unreadable')} "
            f" {size_text(entry.bytes)}  {unused}"
        )
    for folder in folders:
        print(f"{folder.parent.name} {folder.name[:KEY_LENGTH]}  {size_text(gc.size_of(folder))}")
        if options.yes:
            gc.remove_folder(folder)
    what = (
        f"{_count(choice.deleted, 'entry', 'entries')} and {_count(folders, 'leftover', 'leftovers')},"
        f" {size_text(freed)}"
    )
    print(f"deleted {what}" if options.yes else f"would delete {what}; --yes does it")
    return 0
