"""Find the problems of a judged evaluation before a model is loaded."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ptx import Maker, Problem, RunConfig, Scorer, did_you_mean, get_host
from ptx_judge import questions
from ptx_judge.config import Asked, Endpoint, Judge, Local, Reward
from ptx_judge.rubric import problem_with


def problems(config: RunConfig) -> list[Problem]:
    """Problems of the evaluator, and of the judges that it, a training method or a maker asks."""
    found = []
    asked = [*_asked_by_steps(config)]
    for evaluator in config.eval.values():
        asked += [(name, config.chain()) for name in evaluator.scorers()]
        if isinstance(evaluator, Judge):
            found += of_questions(evaluator)
    for name, before in dict(reversed(asked)).items():
        if name in config.scorer:
            found += of_scorer(name, config.scorer[name], before)
    return found


def _asked_by_steps(config: RunConfig) -> Iterator[tuple[str, dict[str, Any]]]:
    """The scorers that the makers and the method in question ask, each with the steps before."""
    chain = config.chain()
    for place, step in enumerate(chain.values()):
        if step is config.method or isinstance(step, Maker):
            before = dict(list(chain.items())[:place])
            yield from ((name, before) for name in step.scorers())


def of_questions(judge: Judge) -> list[Problem]:
    """Files that cannot be read, and missing references."""
    found = questions.problems(judge.tasks)
    if found or judge.against != "references":
        return found
    asked = questions.load(judge.tasks)
    if any(question.reference is not None for question in asked):
        return []
    what = f"eval.judge.against=references, and none of the {len(asked)} questions has a reference"
    return [Problem(what, "give the questions a column reference, or type eval.judge.against=baseline")]


def of_scorer(name: str, scorer: Scorer, before: Mapping[str, Any] | None = None) -> list[Problem]:
    """Settings of this plugin's judges that are missing or wrong; a step of ``before`` may make its model."""
    where = f"scorer.{name}"
    found = []
    if isinstance(scorer, Asked):
        for rubric, pair in ((scorer.rubric, False), (scorer.pair_rubric, True)):
            if why := problem_with(rubric, pair=pair):
                found.append(Problem(f"{where}: {why}"))
    if isinstance(scorer, Endpoint):
        found += of_endpoint(where, scorer)
    if isinstance(scorer, Local) or (isinstance(scorer, Reward) and not scorer.models(before or {})):
        made = any(step.makes == "reward" for step in (before or {}).values())
        found += of_folder(where, scorer.model, or_step=isinstance(scorer, Reward), made=made)
    if isinstance(scorer, Local):
        found += of_runtime(where, scorer)
    return found


def of_endpoint(where: str, scorer: Endpoint) -> list[Problem]:
    """Problems of an endpoint's address, model, key and client."""
    found = []
    if not scorer.base_url.startswith(("http://", "https://")):
        what = f"{where}.base_url must be an http(s) address, got {scorer.base_url!r}"
        found.append(Problem(what, f"try {where}.base_url=http://localhost:8000/v1"))
    if not scorer.model:
        found.append(
            Problem(
                f"{where}.model must name the judge's model, got {scorer.model!r}", f"try {where}.model=NAME"
            )
        )
    if scorer.key_env and not os.environ.get(scorer.key_env):
        found.append(
            Problem(
                f"the environment variable {scorer.key_env} holds no key",
                f"export it, or type {where}.key_env='' if the server needs none",
            )
        )
    if importlib.util.find_spec("openai") is None:
        found.append(Problem(f"{where} needs the openai client", "pip install 'ptx[judge]'"))
    return found


def of_runtime(where: str, scorer: Local) -> list[Problem]:
    """Problems of a local judge's runtime and its fields."""
    host = get_host()
    known = host.names("runtime")
    if scorer.runtime not in known:
        return [
            Problem(f"{where}.runtime: no runtime {scorer.runtime!r}", did_you_mean(scorer.runtime, known))
        ]
    try:
        host.choices["runtime", scorer.runtime].config_type(**scorer.options)
    except (TypeError, ValueError) as error:
        return [Problem(f"{where}.options: {error}", f"ptx plugins {scorer.runtime} shows the fields")]
    return []


def of_folder(where: str, model: str, *, or_step: bool = False, made: bool = False) -> list[Problem]:
    """The problem of a judge's folder without a model; ``made``: a step before makes a reward model."""
    folder = Path(model).expanduser()
    if model and (folder / "config.json").is_file():
        return []
    what = f"{where}.model must be a model folder"
    hint = f"try {where}.model=./my-judge"
    if or_step:
        what += " or an earlier step that makes a reward model"
        more = "name a step with method=reward before this one"
        hint += f", or {'leave it out: the one that this run makes is asked' if made else more}"
    return [Problem(f"{what}, got {model!r}", hint)]
