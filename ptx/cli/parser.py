"""The words of a verb: argparse, which answers a misspelt word as the rest of ptx does.

argparse lists everything that it knows where one letter is wrong, and looks for an option of ``ptx runs ls``
among none. Here a misspelt sub-verb, choice or option is answered with the right one. Every verb uses this
class, those of plugins too (:mod:`ptx.cli.plugin_commands`); the exit code is 2.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from contextvars import ContextVar
from typing import Any, NoReturn

from ptx.errors import Problem, did_you_mean

UNKNOWN = "unrecognized arguments: "  # how argparse begins
_asked: ContextVar[list[Parser] | None] = ContextVar("asked", default=None)


class Parser(argparse.ArgumentParser):
    """A parser that knows what a misspelt word may have meant."""

    def print_help(self, file: Any = None) -> None:
        """Print the help; who asks for the parser itself (completion) gets it instead."""
        if (asked := _asked.get()) is None:
            super().print_help(file)
        else:
            asked.append(self)

    def words(self) -> list[tuple[str, str]]:
        """The sub-verbs, or other words that may stand first, each with its help."""
        first = next((one for one in self._actions if not one.option_strings and one.choices), None)
        if first is None:
            return []
        helps = {one.dest: one.help or "" for one in getattr(first, "_choices_actions", ())}
        given = dict(first.choices) if isinstance(first.choices, dict) else {}
        told = {name: about for name, about in given.items() if isinstance(about, str)}
        return [(str(name), helps.get(name) or told.get(name, "")) for name in first.choices or ()]

    def options(self) -> list[tuple[str, str]]:
        """The long options, each with its help."""
        named = [(name, one.help or "") for one in self._actions for name in one.option_strings]
        return sorted((name, about % {"default": ""}) for name, about in named if name.startswith("--"))

    def values(self, option: str) -> list[str] | None:
        """The words that may stand behind an option, none where any may; None where nothing stands there."""
        found = next((one for one in self._actions if option in one.option_strings), None)
        if found is None or found.nargs == 0:
            return None
        return [str(one) for one in found.choices or ()]

    def add_subparsers(self, **options: Any) -> Any:
        """As argparse does; an unknown option is found by the parser of the sub-verb, which knows its own."""
        return super().add_subparsers(**{"parser_class": SubParser, **options})

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a word that is not among the choices; argparse has no public place for it."""
        if action.choices is None or value in action.choices:
            return
        of_option = action.option_strings
        what = f"{self.prog} {of_option[-1]} {value}: no such value" if of_option else self._lacks(value)
        self._end(Problem(what, did_you_mean(str(value), [str(one) for one in action.choices])))

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the words; an unknown option is answered with the nearest one."""
        before, mark, words = message.partition(UNKNOWN)
        if before or not mark:
            super().error(message)
        unknown = words.split()
        options = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        if not options:
            self._end(Problem(f"{self.prog} takes no further word, got {words}", self._help()))
        known = [name for name, _ in self.options()]
        self._end(Problem(self._lacks(options[0], "option "), did_you_mean(options[0], known)))

    def _lacks(self, word: Any, kind: str = "") -> str:
        return f"{self.prog} has no {kind}{str(word)!r}"

    def _help(self) -> str:
        return f"see {self.prog} --help"

    def _end(self, problem: Problem) -> NoReturn:
        self.exit(2, f"ptx: {problem}\n")


def parser_of(main: Callable[[list[str]], Any], words: Sequence[str] = ()) -> Parser | None:
    """The parser behind a verb, or behind the sub-verb ``words``; None where it has none of ours."""
    found: list[Parser] = []
    before = _asked.set(found)
    silent = io.StringIO()
    try:
        with redirect_stdout(silent), redirect_stderr(silent), suppress(SystemExit, Exception):
            main([*words, "--help"])
    finally:
        _asked.reset(before)
    return found[0] if found else None


class SubParser(Parser):
    """The parser of a sub-verb: it gets all words behind it, so an option that it does not know is wrong."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the words; what may be left are words such as ``key=value`` behind an option."""
        found, left = super().parse_known_args(args, namespace)
        if options := [word for word in left if word.startswith("-")]:
            self.error(f"{UNKNOWN}{' '.join(options)}")
        return found, left
