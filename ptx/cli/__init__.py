"""The command line: one module for each verb, imported when the verb is typed.

Plugins add verbs through the hook ``ptx_commands``. Exit codes: 0 success, 1 a run failed, 2 the command or
its configuration is wrong (nothing was started), 70 a fault of ptx itself, 130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ptx.cli.parser import Parser
from ptx.cli.silence import SILENCE
from ptx.errors import ConfigError, Problem, PtxError
from ptx.guard.places import OUT
from ptx.guard.reading import reason, understood
from ptx.guard.scratch import own_temporary_folder
from ptx.guard.secrets import masked_output
from ptx.guard.system import cause_of

#: verb -> (module, one line)
VERBS = {
    "train": ("ptx.cli.train", "train a model, then compress and evaluate it; -m runs a sweep"),
    "make": ("ptx.cli.train", "make a dataset: sample, judge, rewrite or select"),
    "compress": ("ptx.cli.train", "compress a model and evaluate the result"),
    "eval": ("ptx.cli.train", "evaluate a model"),
    "export": ("ptx.cli.export", "convert a model to a runtime's format and measure what it lost"),
    "sweep": ("ptx.cli.sweep", "run a sweep or a search that a YAML file describes"),
    "report": ("ptx.cli.report", "write a report of runs: a table, Pareto plots, details of each run"),
    "gate": ("ptx.cli.gate", "judge recorded models: which may ship, and why the others may not"),
    "runs": ("ptx.cli.runs", "list, show, compare and follow recorded runs"),
    "ui": ("ptx.cli.ui", "show sweeps in a browser while they run: progress, curves, the front, failures"),
    "store": ("ptx.cli.store", "list, explain, verify and clean up the store of finished steps"),
    "check": ("ptx.cli.check", "describe a model or dataset and say what it can be used for"),
    "advise": ("ptx.cli.advise", "say which methods fit data, a model and this machine, and why"),
    "data": ("ptx.cli.data", "make a dataset of another one: other shapes, a split, pairs"),
    "import": ("ptx.cli.foreign", "the command for a configuration of Axolotl or LLaMA-Factory"),
    "mend": ("ptx.cli.mend", "write a copy of a model folder in which its files agree"),
    "docs": ("ptx.cli.docs", "list the pages of the documentation, or show one"),
    "doctor": ("ptx.cli.doctor", "look at the installation and the machine, and say what is missing"),
    "completion": ("ptx.cli.completion", "print the script that completes words in bash, zsh or fish"),
    "plugins": ("ptx.cli.plugins", "list plugins and their choices, show the fields of one, write a new one"),
}

DESCRIPTION = """\
ptx: train, compress and evaluate language models in sweeps.
The result is one table of quality, latency and size, with confidence intervals.

verbs:
{verbs}

examples:
  ptx train method=dpo model=tiny data=tiny_pairs
  ptx train -m method=sft,dpo,kto,grpo 'compress=[],[sparsegpt]' eval=[bench,latency]
  ptx train method=sft model=./my-folder data=./my.jsonl
  ptx report ptx-out/runs/NAME

`ptx VERB --help` explains a verb; `ptx plugins` lists the choices that key=value words can name.
model=tiny is a small model for demonstrations and tests that ships with ptx.
"""

NARROWEST = 20  # columns that a terminal is believed to have
QUIET = "--quiet"  # of every verb
#: verbs that only read records, which may be damaged or a stranger's
READERS = ("report", "runs", "gate", "store")
INTERNAL_FAULT = 70  # an exit code
#: verb -> the word that lets it write its results on another disk
ELSEWHERE = dict.fromkeys(("train", "make", "compress", "eval", "export", "sweep"), OUT)
ELSEWHERE["report"] = "--to=/another/disk/report"
#: errors of the system that come and go: the command was right
PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM, errno.ESTALE)

#: set before any library is imported: no telemetry, no forked-tokenizer warnings, and no child process
#: imports a ``json.py`` that lies in the working folder
ENVIRONMENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "DO_NOT_TRACK": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime 1.31 has a client of Microsoft's, and its session in /tmp
    "PYTHONSAFEPATH": "1",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        from ptx.hooks.waiting import is_a_command

        is_a_command()
    with _quiet(words):
        return _run([word for word in words if word != QUIET])


@contextmanager
def _quiet(words: Sequence[str]) -> Iterator[None]:
    """Where ``--quiet`` is typed, terminals print results and failures only; children inherit it."""
    before = os.environ.get(SILENCE)
    if QUIET in words:
        os.environ[SILENCE] = "1"
    try:
        yield
    finally:
        if QUIET in words:
            os.environ.pop(SILENCE)
            os.environ |= {} if before is None else {SILENCE: before}


def _run(words: list[str]) -> int:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if not os.environ.get("COLUMNS", "80").isdecimal() or int(os.environ.get("COLUMNS", "80")) < NARROWEST:
        del os.environ["COLUMNS"]  # a terminal without a size says 0: nothing would be printed
    with _ended_by_signals(), masked_output(), own_temporary_folder():
        return _guarded(words)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """While a command runs, SIGTERM and SIGHUP end it like Ctrl-C; before and after, they are the caller's.

    Who calls :func:`main` in a process of its own (tests, a program) would else be left with handlers that
    raise in whatever it does next.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}  # nohup
    for number in before:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _guarded(words: list[str]) -> int:
    """Run a command; whatever it raises is said in one line, without a traceback."""
    try:
        return _dispatch(words)
    except ConfigError as error:
        for problem in error.problems:
            print(f"ptx: {problem}{_waiver(problem)}", file=sys.stderr)
        return error.exit_code
    except PtxError as error:
        print(f"ptx: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("ptx: interrupted; the same command again continues", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:  # noqa: BLE001 (the last border: a traceback helps nobody at a terminal)
        return _unexpected(error, words[0] if words else "")


def _unexpected(error: Exception, verb: str) -> int:
    """Say what went wrong outside of a run, and what helps; returns the exit code."""
    import traceback

    if os.environ.get("PTX_TRACE"):
        traceback.print_exception(error)
    if isinstance(error, OSError):
        what, fix = cause_of(error, ELSEWHERE.get(verb, "")) or (reason(error), "")
        print(f"ptx: {Problem(what, fix)}", file=sys.stderr)
        return 1 if error.errno in PASSING else 2
    where = traceback.extract_tb(error.__traceback__)[-1]
    print(
        f"ptx: {reason(error)} ({where.filename}:{where.lineno}); this is a fault of ptx or a plugin, please"
        " report it: PTX_TRACE=1 prints how it came to it",
        file=sys.stderr,
    )
    return INTERNAL_FAULT


def _interrupt(_signal: int, _frame: Any) -> None:
    """Make SIGTERM and SIGHUP end the command like Ctrl-C: cleanly, with the status interrupted."""
    raise KeyboardInterrupt


def _dispatch(words: list[str]) -> int:
    if words and words[0] in VERBS:
        module = import_module(VERBS[words[0]][0])
        if words[0] not in READERS:
            return int(module.main(words[0], words[1:]))
        with understood(f"the records that {' '.join(words[:3])} reads"):
            return int(module.main(words[0], words[1:]))
    from ptx.hooks.host import get_host

    host = get_host()
    commands = {command.name: command for found in host.hook.ptx_commands() for command in found}
    if words and words[0] in commands:
        return int(commands[words[0]].main(words[1:]))
    lines = [f"  {name:<10} {line}" for name, (_, line) in VERBS.items()] + [
        f"  {c.name:<10} {c.help}" for c in commands.values()
    ]
    parser = Parser(
        "ptx", formatter_class=argparse.RawDescriptionHelpFormatter, add_help=True, usage="ptx VERB ..."
    )
    parser.description = DESCRIPTION.format(verbs="\n".join(lines))
    parser.add_argument(QUIET, action="store_true", help="of every verb: print results and failures only")
    parser.add_argument("--version", action="version", version=_version())
    if words and not words[0].startswith("-"):
        from ptx.errors import did_you_mean

        raise ConfigError(Problem(f"no verb {words[0]!r}", did_you_mean(words[0], [*VERBS, *commands])))
    parser.parse_args(words)
    parser.print_help()
    return 0


def _waiver(problem: Problem) -> str:
    """What lets a finding on data pass, where it can be waived."""
    if not problem.name:
        return ""
    from ptx.data.findings.catalogue import waivable

    return f"; or waive it: check.allow=[{problem.name}]" if waivable(problem.name) else ""


def _version() -> str:
    from ptx import __version__

    return f"ptx {__version__}"
