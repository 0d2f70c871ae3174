"""From words on the command line to typed, checked configurations.

Hydra composes the choices of the groups: plugin dataclasses from the ConfigStore, YAML presets from the
search path. Then the fields are set one by one on the typed result, so that every misspelt name and every
wrong type is found at once and named in full. A grid (``-m``) is composed job by job before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from ptx.compose.default_data import add_default_data
from ptx.compose.fields import NoSuchField
from ptx.compose.former_names import present_word
from ptx.compose.groups import hydra, known
from ptx.compose.overrides import choices_and_values, grid, read
from ptx.compose.prepared import Frozen
from ptx.compose.presets import take_out_presets
from ptx.compose.shadows import shadow_notes
from ptx.config import IN_METHOD, RunConfig
from ptx.errors import ConfigError, Problem
from ptx.guard.reading import reason
from ptx.hooks.host import Host


@dataclass(frozen=True)
class Job:
    """One composed run: its configuration, and the overrides that it was composed from."""

    config: RunConfig
    overrides: list[str]
    varied: dict[str, str] = field(default_factory=dict)  # the overrides that vary over the sweep
    given: frozenset[str] = frozenset()  # keys that the user typed
    notes: tuple[str, ...] = ()  # sentences on what was set without having been typed


def compose_jobs(
    host: Host,
    verb: str,
    words: Sequence[str],
    *,
    multirun: bool = False,
    config_dir: str | None = None,
    frozen: Frozen | None = None,
) -> list[Job]:
    """Compose every job of a command.

    Jobs with the same choices share the configuration that Hydra composes, and jobs with the same fields of a
    part also its dataclasses. ``frozen`` keeps all that over several calls.

    Raises:
        ConfigError: one error with every problem of every job.
    """
    shared = frozen or Frozen()
    overrides = read(host, words, multirun=multirun)
    given: set[str] = set()
    problems: list[Problem] = []
    jobs: list[Job] = []
    lacking: list[dict[str, Problem]] = []  # of each job: the typed fields that it does not have
    with hydra(host, config_dir):
        for typed in grid(overrides):
            answers = [(*present_word(host, line), swept) for line, swept in typed]
            row = [(line, swept) for line, _, swept in answers]
            given |= {line.partition("=")[0].lstrip("+") for line, _ in row}
            notes = [note for _, note, _ in answers if note]
            config, found = _compose_one(host, verb, [line for line, _ in row], shared, notes, config_dir)
            lacking.append({problem.key: problem for problem in found if isinstance(problem, NoSuchField)})
            problems += found
            if config is not None:
                kept = [(line, swept) for line, swept in row if line.partition("=")[0] not in lacking[-1]]
                varied = {line.partition("=")[0]: line.partition("=")[2] for line, swept in kept if swept}
                jobs.append(Job(config, [line for line, _ in kept], varied, frozenset(given), tuple(notes)))
    if problems := _without_those_of_some(problems, lacking):
        raise ConfigError(_with_broken_plugins(host, problems))
    jobs[0] = replace(jobs[0], notes=(*jobs[0].notes, *_lacking_somewhere(lacking)))
    return jobs


def _without_those_of_some(problems: list[Problem], lacking: list[dict[str, Problem]]) -> list[Problem]:
    """The problems without those of fields that some job has: a field goes to the jobs that have it."""
    nowhere = {key: problem for key, problem in lacking[0].items() if all(key in one for one in lacking)}
    return [p for p in problems if not isinstance(p, NoSuchField) or p is nowhere.get(p.key)]


def _lacking_somewhere(lacking: list[dict[str, Problem]]) -> Iterator[str]:
    """A sentence for each typed field that only some of the jobs have."""
    for key in dict.fromkeys(key for one in lacking for key in one):
        having = sum(key not in one for one in lacking)
        yield f"{key} is set in {having} of {len(lacking)} runs: the others have no such field"


def _compose_one(
    host: Host, verb: str, lines: list[str], frozen: Frozen, notes: list[str], config_dir: str | None
) -> tuple[RunConfig | None, list[Problem]]:
    choices, values, problems = choices_and_values(lines)
    problems += _taken(host, choices)
    if choices.get("recipe", "null") != "null":
        problems += _instead_of_short_form(choices)
    choices.setdefault("scorer", f"[{','.join(host.names('scorer'))}]")
    add_default_data(host, choices, values, notes)
    choices = {group: value for group, value in choices.items() if value != "[]" or known(group)}
    if problems:
        return None, problems
    notes += shadow_notes(host, choices, config_dir)
    lists = take_out_presets(host, choices)
    chosen = [f"~{group}" if value == "null" else f"{group}={value}" for group, value in choices.items()]
    model = host.choices.get(("model", choices.get("model", "tiny")))
    try:
        prepared = frozen.of(host, (verb, *chosen), lists, values, model.suggests if model else {})
    except (HydraException, OmegaConfBaseException) as error:
        return None, [_not_composed(lines, error)]
    except ConfigError as error:
        return None, list(error.problems)
    except Exception as error:  # noqa: BLE001 (a preset of the user can fail anywhere in Hydra)
        return None, [Problem(f"cannot compose {' '.join(lines)}: {reason(error)}")]
    notes += prepared.notes
    return prepared.typed(values)


def _taken(host: Host, choices: dict[str, str]) -> list[Problem]:
    """A typed name that two plugins give: nobody could say whose it is."""
    typed = {
        (group, name.strip()) for group, value in choices.items() for name in value.strip("[]").split(",")
    }
    return [problem for key, problem in host.taken.items() if key in typed]


def _not_composed(lines: list[str], error: Exception) -> Problem:
    """What Hydra says of a preset that names another one, without the list of the places it looked in."""
    text, _, places = " ".join(str(error).split()).partition(" Config search path:")
    text = text.rstrip(".")
    fix = "correct the defaults of that YAML, which lies in ./conf or in a plugin" if places else ""
    return Problem(f"cannot compose {' '.join(lines)}: {text}", fix)


def _instead_of_short_form(choices: dict[str, str]) -> list[Problem]:
    """Remove the default method, since a recipe holds all steps; a method that was typed is a problem."""
    given = [
        group
        for group in ("make", "method", "compress", *IN_METHOD)
        if choices.get(group) not in (None, "null", "[]", "none")
    ]
    problems = [
        Problem(
            f"recipe={choices['recipe']} and {group}={choices[group]} are both given",
            "set a step's field with recipe.steps.NAME.FIELD=...",
        )
        for group in given
    ]
    choices |= {"method": "null", **dict.fromkeys(IN_METHOD, "none")}
    return problems


def _with_broken_plugins(host: Host, problems: list[Problem]) -> list[Problem]:
    """The problems, with a note on broken plugins where a choice is unknown: it may belong to one of them."""
    unknown = any(problem.what.startswith("no ") for problem in problems)
    notes = (
        [
            Problem(f"plugin {plugin.name} ({plugin.origin}) is not loaded: {plugin.error}")
            for plugin in host.broken
        ]
        if unknown
        else []
    )
    return list(dict.fromkeys(problems)) + notes
