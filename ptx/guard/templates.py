"""Jinja templates of strangers (chat templates, benchmark tasks, rubrics) in a sandbox with bounds.

Jinja's own sandbox keeps a template from Python's internals, so that it cannot open a file or start a
program. It does not keep it from looping, recursing or filling the memory: here every pass of a loop and
every call is counted, one rendering has a time limit, and no operation may make more than a few million
characters. Every template of a stranger that ptx or a library renders in this process goes through it.
"""

from __future__ import annotations

import contextvars
import functools
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jinja2
from jinja2 import TemplateError, nodes
from jinja2.filters import do_format
from jinja2.sandbox import ImmutableSandboxedEnvironment

MOST_STEPS = 500_000  # passes of loops and calls in one rendering
MOST_SECONDS = 5.0  # of one rendering
MOST_CHARACTERS = 20_000_000  # of one value
MOST_NUMBER = 1_000_000  # as an argument: a width, a count, the end of a range
WIDTH = re.compile(r"%[^a-zA-Z%]*(?:\d{6,}|\*)|\{[^{}]*\d{6,}[^{}]*\}")


class TemplateBoundError(TemplateError):
    """A template that loops, recurses or grows without an end."""


@dataclass
class _Budget:
    """What one rendering has used."""

    steps: int = 0
    until: float = field(default_factory=lambda: time.monotonic() + MOST_SECONDS)

    def spend(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TemplateBoundError(f"the template makes more than {MOST_STEPS:,} steps; does a loop end?")
        if self.steps % 256 == 0 and time.monotonic() > self.until:
            raise TemplateBoundError(f"the template takes more than {MOST_SECONDS:g} seconds")


_budget: contextvars.ContextVar[_Budget] = contextvars.ContextVar("budget")


def _spend() -> None:
    if (budget := _budget.get(None)) is not None:
        budget.spend()


def _counted(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        _spend()
        yield value


def _sized(value: Any) -> Any:
    """``value``, if it is not too large."""
    if isinstance(value, str | bytes) and len(value) > MOST_CHARACTERS:
        raise TemplateBoundError(f"the template makes a value of {len(value):,} characters")
    if isinstance(value, list | tuple) and len(value) > MOST_NUMBER:
        raise TemplateBoundError(f"the template makes a list of {len(value):,} values")
    return value


def _joined(pieces: Iterable[str]) -> str:
    """The pieces as one text, if it is not too large."""
    kept = list(pieces)
    if sum(map(len, kept)) > MOST_CHARACTERS:
        raise TemplateBoundError(f"the template makes a text of more than {MOST_CHARACTERS:,} characters")
    return "".join(kept)


def _check_numbers(values: Iterable[Any]) -> None:
    for value in values:
        if isinstance(value, int) and abs(value) > MOST_NUMBER:
            raise TemplateBoundError(f"the template uses the number {value:.3g} as a size")


class BoundedTemplate(jinja2.Template):
    """A template whose every rendering begins with a fresh budget."""

    @classmethod
    def _from_namespace(cls, environment: Any, namespace: Any, globals: Any) -> jinja2.Template:  # noqa: A002
        made = super()._from_namespace(environment, namespace, globals)
        made.root_render_func = _with_budget(made.root_render_func)
        return made


def _with_budget(render: Callable[[Any], Iterator[str]]) -> Callable[[Any], Iterator[str]]:
    @functools.wraps(render)
    def bounded(context: Any) -> Iterator[str]:
        _budget.set(_Budget())
        total = 0
        try:
            for piece in render(context):
                total += len(piece)
                if total > MOST_CHARACTERS:
                    raise TemplateBoundError(f"the template writes more than {MOST_CHARACTERS:,} characters")
                yield piece
        except RecursionError as error:
            raise TemplateBoundError("the template calls itself without an end") from error

    return bounded


class BoundedSandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with bounds on steps, time and sizes."""

    template_class = BoundedTemplate
    intercepted_binops = frozenset(["*", "**", "+", "%"])
    concat = staticmethod(_joined)  # of ``{% set %}`` blocks, macros and the whole

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.globals.pop("lipsum", None)  # makes text of any length
        self.filters = {name: _bounded(function) for name, function in self.filters.items()}
        self.filters |= {"_counted": _counted, "_sized": _sized}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, "_counted", [], [], None, None, lineno=loop.lineno)
        _with_sizes(tree)
        return tree

    def call(self, context: Any, function: Any, *args: Any, **named: Any) -> Any:
        """Call what a template calls."""
        _spend()
        _check_numbers([*args, *named.values()])
        owner = getattr(getattr(function, "__wrapped__", function), "__self__", None)
        _check_width(owner)
        return _sized(super().call(context, function, *args, **named))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Apply an operator that can make a large value of small ones."""
        if operator == "+" and type(left) is str and type(right) is str:
            return _sized(left + right)  # most of what templates do
        _check_operands(operator, left, right)
        return _sized(super().call_binop(context, operator, left, right))


def _check_operands(operator: str, left: Any, right: Any) -> None:
    if operator == "**":
        _check_numbers([left, right])
        if isinstance(right, int) and right > 1_000:
            raise TemplateBoundError(f"the template raises a number to the power {right}")
    if operator == "*":
        if isinstance(left, int) and isinstance(right, int) and left.bit_length() > 10_000:
            raise TemplateBoundError("the template makes a number of more than 10,000 bits")
        for value, times in ((left, right), (right, left)):
            sized = isinstance(value, str | list | tuple)
            if sized and isinstance(times, int) and len(value) * times > MOST_CHARACTERS:
                raise TemplateBoundError(f"the template repeats a value {times:,} times")
    if operator == "%":
        _check_width(left)


def _check_width(form: Any) -> None:
    if isinstance(form, str) and WIDTH.search(form[:10_000]):
        raise TemplateBoundError("the template formats with a width of more than 99,999 characters")


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that counts as a step and takes no huge number; jinja's marks on the function are kept."""

    @functools.wraps(function)
    def bounded(*args: Any, **named: Any) -> Any:
        _spend()
        _check_numbers([*args, *named.values()])
        if function is do_format:
            _check_width(args[0])
        return _sized(function(*args, **named))

    return bounded


def _with_sizes(tree: nodes.Node) -> None:
    """Check the length of every ``a ~ b``: a loop could double a text until the memory is full."""
    for parent in [tree, *tree.find_all(nodes.Node)]:
        for name, value in parent.iter_fields():
            if isinstance(value, nodes.Concat) and not (
                isinstance(parent, nodes.Filter) and parent.name == "_sized"
            ):
                wrapped = nodes.Filter(value, "_sized", [], [], None, None, lineno=value.lineno)
                setattr(parent, name, wrapped)


def bounded_like(environment: jinja2.Environment) -> BoundedSandbox:
    """The bounded sandbox with the settings and filters of a library's own environment."""
    made = BoundedSandbox(
        undefined=environment.undefined,
        keep_trailing_newline=environment.keep_trailing_newline,
        trim_blocks=environment.trim_blocks,
        lstrip_blocks=environment.lstrip_blocks,
    )
    own = {name: one for name, one in environment.filters.items() if name not in made.filters}
    made.filters |= {name: _bounded(one) for name, one in own.items()}
    return made
