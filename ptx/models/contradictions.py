"""What a model folder says twice and differently, from its small files and the headers of its weights.

Each finding says where two places disagree, what comes of it, and the command that mends a copy of the folder
(:mod:`ptx.models.mend`). A finding that spoils every use is a refusal; one that spoils training, compressing
or exporting refuses those; the rest are notes. What public models have on purpose is none: Qwen 2.5's
tokenizer allows more tokens than its config, Gemma 3's has a token beyond the embedding that no text holds,
SmolLM 2 pads with its end-of-text token.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from ptx.errors import ConfigError, Problem
from ptx.models.chat import ChatTemplate, TemplateRefusalError
from ptx.models.config_findings import config_findings
from ptx.models.finding import USE, Finding
from ptx.models.folder import Folder, open_folder
from ptx.models.package import read_package
from ptx.models.token_findings import token_findings
from ptx.models.value_findings import value_findings
from ptx.models.vocabulary_findings import vocabulary_findings
from ptx.models.weight_findings import weight_findings


def findings(path: Path) -> tuple[Finding, ...]:
    """The findings of a model folder; empty for one that agrees with itself, and for a runtime package."""
    return () if read_package(path) else _findings(open_folder(path))


@lru_cache(maxsize=16)
def _findings(folder: Folder) -> tuple[Finding, ...]:
    return (
        *weight_findings(folder),
        *config_findings(folder),
        *_template(folder),
        *token_findings(folder),
        *value_findings(folder),
        *vocabulary_findings(folder),
    )


def _template(folder: Folder) -> Iterator[Finding]:
    """A chat template that no program can read."""
    try:
        ChatTemplate.of(folder.path)
    except TemplateRefusalError as error:
        yield Finding(str(error), (USE,), (), "correct it, or download the folder again")
    except (ConfigError, OSError, ValueError):  # other checks say so
        return


def refusals(path: Path, *uses: str) -> list[Problem]:
    """The problems of a folder for these uses, beside those that spoil every use."""
    return [
        found.problem(path)
        for found in findings(path)
        if USE not in found.refuses and not set(uses).isdisjoint(found.refuses)
    ]


def faults(path: Path) -> list[Problem]:
    """The problems of a folder that spoil every use."""
    return [found.problem(path) for found in findings(path) if USE in found.refuses]


def notes(path: Path) -> list[Problem]:
    """What refuses nothing, each with what mends it."""
    return [found.problem(path) for found in findings(path) if not found.refuses]
