"""A page per group with its choices and their fields, and one that lists the groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from ptx.config import GROUPS, IN_METHOD, Choice, RunConfig
from ptx.config.run import Check
from ptx.hooks.host import Host
from reference_pages.text import (
    FIELD_HEAD,
    anchor,
    field_row,
    fields_table,
    module_of,
    page,
    sentence,
    shown,
    summary,
    table,
    words_of,
)

IN_THE_KEY = """\
*In the key* says whether another value makes another step
([store keys](../explanation/store.md#what-is-in-a-key))."""
GROUPS_INTRO = """\
A word on the command line is `GROUP=CHOICE`, or `GROUP.FIELD=VALUE` for a field of the choice. In a group
that takes a list the field is `GROUP.CHOICE.FIELD=VALUE`."""
GROUPS_END = """\
`recipe=NAME` names a recipe ([presets](presets.md#recipes)). `baseline_runtime=NAME` names the
runtime that the baseline is measured on; by default it is the run's own."""
#: group -> what it is for, in a sentence
ABOUT = {
    "model": "The model a run starts from. A path or a hub id may stand in place of a choice.",
    "data": "The data a run trains on. A path or a hub id may stand in place of a choice.",
    "method": "How a model is trained.",
    "lora": "Low-rank adapters. The choice is kept in `method.lora`.",
    "qat": "Quantisation-aware training. The choice is kept in `method.qat`.",
    "speed": "What a training may do to be fast. The choice is kept in `method.speed`.",
    "environment": "A task with tools, for methods that act. The choice is kept in `method.environment`.",
    "make": "Steps that make data: a later step learns from it. The model stays as it is.",
    "compress": "Steps that make a model smaller. They run after the training, in the order of the list.",
    "runtime": "What serves the model while it is measured.",
    "decode": "How one answer is made of several generations (test-time compute).",
    "eval": "What is measured.",
    "scorer": "Functions that give a score to a completion. A method, an evaluator or a `decode` names them.",
    "tracker": "Observers of a run. They never change its result and never stop it.",
    "launch": "Where one step runs.",
    "cluster": "Where the runs of a sweep go.",
}
#: attribute of a choice's class -> how the page says it, where the value is not the base type's
FACTS = {
    "needs": "data shapes that it can use, the preferred one first: {}",
    "reads": "further data shapes that it needs: {}",
    "parallel": "can be trained by several ranks",
    "opens_model": "opens the model by itself",
    "timed": "depends on the machine",
    "seeded": "depends on the seed",
    "compares": "needs the baseline model",
    "filled_from_data": "fields filled from the data where they are empty: {}",
    "self_sufficient": "has content of its own",
    "default_for": "measured without being asked for, where a run has a step of the kind: {}",
    "exports": "needs an export first",
    "serves": "cannot be measured on",
    "bounds": "scores lie in {}",
    "detects": "detects: {}",
    "kinds": "for steps of the kinds: {}",
}


def typed(choice: Choice) -> str:
    """What a user types to have a choice."""
    group, name = choice.group, choice.name
    if group == "scorer":
        return f"scorer.{name}"
    return f"{group}=[{name}]" if GROUPS[group][1] else f"{group}={name}"


def prefix_of(choice: Choice) -> str:
    """What stands before the name of a field."""
    if choice.group in IN_METHOD:
        return f"method.{choice.group}."
    return f"{choice.group}.{choice.name}." if GROUPS[choice.group][1] else f"{choice.group}."


def facts_of(choice: Choice) -> list[str]:
    """What the choice's class says of itself, where it differs from the type it derives from."""
    base = GROUPS[choice.group][0]
    found = []
    for name, words in FACTS.items():
        value = getattr(choice.config_type, name, None)
        if isinstance(value, property) or value is None or value in (getattr(base, name, None), (), ""):
            continue
        if isinstance(value, Mapping):
            value = ", ".join(f"`{key}` from `{one}`" for key, one in value.items())
        elif name == "bounds":
            value = f"[{value[0]:g}, {value[1]:g}]"
        elif isinstance(value, tuple):
            value = ", ".join(f"`{one}`" for one in value)
        found.append(f"- {words.format(value)}")
    return found


def choice_part(host: Host, choice: Choice) -> list[str]:
    """The section of one choice."""
    libraries = ", ".join(choice.libraries) or "none"
    facts = [
        f"- plugin `{module_of(host.owners[choice.group, choice.name])}`; libraries in the key: {libraries}"
    ]
    if choice.data:
        facts.append(f"- data, where none is named: `data={choice.data}`")
    for key, values in choice.suggests.items():
        facts.append(f"- suggested for `{key}`: `{shown(values)}`")
    described = summary(choice.config_type)
    generated = described.startswith(
        f"{choice.config_type.__name__}("
    )  # by @dataclass, where nobody wrote one
    body = [] if generated or words_of(described) == words_of(choice.help) else [described, ""]
    head = [f"## `{typed(choice)}`", "", sentence(choice.help), "", *body]
    return [*head, *facts, *facts_of(choice), "", *fields_table(choice.config_type, prefix_of(choice))]


def group_pages(host: Host) -> Iterator[tuple[str, str]]:
    """A page per group, and one that lists the groups."""
    rows = []
    for group, (base, many) in GROUPS.items():
        choices = [host.choices[group, name] for name in host.names(group)]
        listed = table(
            ("choice", "what"), [(f"[`{typed(c)}`](#{anchor(typed(c))})", c.help) for c in choices]
        )
        about = [f"{ABOUT[group]} Choices derive from `ptx.{base.__name__}`. {IN_THE_KEY}"]
        parts = [choice_part(host, choice) for choice in choices]
        yield page(f"{group}.md", f"`{group}`", about, listed, *parts)
        names = ", ".join(f"`{choice.name}`" for choice in choices)
        rows.append((f"[`{group}`]({group}.md)", "a list" if many else "one", ABOUT[group], names))
    own = [(field.name, field) for field in dataclasses.fields(RunConfig) if field.metadata.get("help")]
    own += [(f"check.{field.name}", field) for field in dataclasses.fields(Check)]
    text = [
        GROUPS_INTRO,
        "",
        *table(("group", "takes", "what", "choices"), rows),
    ]
    beside = [
        "## Fields of no group",
        "",
        *table(FIELD_HEAD, [field_row(name, field) for name, field in own]),
        "",
        GROUPS_END,
    ]
    yield page("groups.md", "Groups", text, beside)
