"""What a plugin offers when it is loaded: hooks that exist, and choices that a configuration can hold.

What does not fit raises with the name and what would be right; the host keeps the message beside the plugin.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from types import NoneType
from typing import Any

from ptx.config import GROUPS, Choice, Method
from ptx.errors import did_you_mean
from ptx.hooks import hookspecs

#: libraries that take seconds to import: a plugin loads them in its hooks, not when it is loaded
HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "llmcompressor", "lm_eval", "wandb")
#: groups whose choices may name the function that does their work (``Choice.calls``) -> the hook it answers
CALLED = {
    "method": "ptx_train",
    "compress": "ptx_compress",
    "make": "ptx_make",
    "eval": "ptx_evaluate",
    "scorer": "ptx_score",
}
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("ptx_"))
#: annotations that Hydra can hold, with the types of their defaults. OmegaConf's own check of all built-in
#: choices takes half of the time that ``ptx --help`` would need.
SINGLE: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "None": (NoneType,),
}
ANY = (str, int, float, NoneType)
SEVERAL = re.compile(r"(list|dict)\[(?:str, )?(?:str|bool|int|float|Any)\]( \| None)?")


def heavy_imports() -> set[str]:
    """The ML libraries that this process has imported."""
    return {name for name in HEAVY if name in sys.modules}


def must_fit(module: Any) -> None:
    """Raise where a plugin is written for another version of the hooks, or has a hook that is none."""
    wanted = getattr(module, "PTX_API", hookspecs.API)
    if wanted != hookspecs.API:
        newer = "ptx" if isinstance(wanted, int) and wanted > hookspecs.API else "the plugin"
        raise TypeError(
            f"written for version {wanted} of ptx's plugin interface, and this ptx has {hookspecs.API};"
            f" install a newer version of {newer}"
        )
    if faults := [*_wrong_hooks(module)]:
        raise TypeError("; ".join(faults))


def _wrong_hooks(module: Any) -> Iterator[str]:
    """Hooks that do not exist, and functions named like a hook that are not marked as one."""
    for name, function in vars(module).items():
        if not name.startswith("ptx_") or not inspect.isfunction(function):
            continue
        marks = getattr(function, "ptx_impl", None)
        named = (marks and marks.get("specname")) or name
        if marks is not None and named not in HOOKS:
            yield f"{named} is no hook; {did_you_mean(named, HOOKS)}"
        elif marks is None and name != "ptx_choices" and difflib.get_close_matches(name, HOOKS, cutoff=0.8):
            yield f"{name} is not marked, so it would never be called; write @ptx.hookimpl above it"


def must_be_usable(offered: Sequence[Choice]) -> None:
    """Raise for a choice that no configuration can hold."""
    for choice in offered:
        if choice.group not in GROUPS:
            known = did_you_mean(choice.group, list(GROUPS))
            raise ValueError(f"choice {choice.name!r} names the unknown group {choice.group!r}; {known}")
        kind, base = choice.config_type, GROUPS[choice.group][0]
        if not isinstance(kind, type):
            raise TypeError(f"{choice.group}={choice.name} gives {kind!r:.40}; give the class itself")
        if not issubclass(kind, base):
            raise TypeError(
                f"{kind.__name__} must derive from ptx.{base.__name__} to be given as {choice.group}="
            )
        if "__dataclass_fields__" not in vars(kind) and vars(kind).get("__annotations__"):
            raise TypeError(f"the fields of {kind.__name__} are not read; write @dataclass above the class")
        _must_be_held(kind)
        if choice.calls:
            _must_be_callable(choice)


def _must_be_callable(choice: Choice) -> None:
    """Raise where ``calls`` of a choice is no function, or one that the hook of its group cannot call."""
    named = f"{choice.group}={choice.name} has calls"
    if choice.group not in CALLED:
        raise TypeError(f"{named}, which only {', '.join(CALLED)} may have; write the hook")
    if callable(choice.calls):
        trains = issubclass(choice.config_type, Method)
        must_take(choice.calls, "ptx_train" if trains else CALLED[choice.group])
    elif not re.fullmatch(r"[\w.]+:\w+", str(choice.calls)):
        right = "give the function itself, or 'package.module:function'"
        raise TypeError(f"{named}={choice.calls!r:.60}; {right}")


def must_take(function: Callable[..., Any], hook: str) -> None:
    """Raise where a function asks for an argument that its hook does not give."""
    given = tuple(inspect.signature(getattr(hookspecs, hook)).parameters)
    for name, asked in inspect.signature(function).parameters.items():
        optional = asked.default is not asked.empty or asked.kind in (asked.VAR_POSITIONAL, asked.VAR_KEYWORD)
        if name not in given and not optional:
            what = f"{getattr(function, '__name__', function)} asks for {name!r}, which {hook} does not give"
            raise TypeError(f"{what}; {did_you_mean(name, given)}")


def _must_be_held(config_type: type) -> None:
    """Raise for a field that Hydra cannot hold; OmegaConf is asked where the annotation does not tell."""
    if not all(is_held(f) for f in dataclasses.fields(config_type)):
        from omegaconf import OmegaConf

        OmegaConf.structured(config_type)


def is_held(f: dataclasses.Field[Any]) -> bool:
    """Whether the annotation alone tells that Hydra can hold the field."""
    held = held_types(str(f.type))
    return bool(held) and (f.default is dataclasses.MISSING or isinstance(f.default, held))


@functools.cache
def held_types(annotation: str) -> tuple[type, ...]:
    """The types of the defaults of a field that Hydra can hold; none where only OmegaConf knows."""
    if annotation == "Any":
        return ANY
    if found := SEVERAL.fullmatch(annotation):
        return (list if found[1] == "list" else dict, *([NoneType] if found[2] else []))
    parts = [SINGLE.get(part, ()) for part in annotation.split(" | ")]
    return tuple(kind for part in parts for kind in part) if all(parts) else ()
