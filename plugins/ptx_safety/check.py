"""Find the problems of a safety evaluation before a model is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ptx import ConfigError, Problem, RunConfig, Scorer
from ptx.guard.reading import read_object
from ptx.models import inspection
from ptx_safety import ATTACKS, EMBEDDED, OPENINGS, RefusalOpening, Safety, SafetyClassifier
from ptx_safety.attacks import read_attacks
from ptx_safety.prompts import Prompt, read_prompts
from ptx_safety.stored import read_stored


def problems(config: RunConfig) -> list[Problem]:
    """The problems of the safety evaluations of ``config``, and of this plugin's detectors that are asked."""
    found: list[Problem] = []
    for evaluator in config.eval.values():
        if isinstance(evaluator, Safety):
            found += [*_input_problems(evaluator), *_detector_problems(config, evaluator)]
    parts = [*config.chain().values(), *config.eval.values(), *filter(None, [config.decode])]
    asked = dict.fromkeys(name for part in parts for name in part.scorers())
    return found + [problem for name in asked for problem in _scorer_problems(name, config.scorer.get(name))]


def prompts_of(config: Safety) -> list[Prompt]:
    """The distinct requests of the given files; the first ``limit`` harmful and harmless ones."""
    found = {
        prompt.id: prompt
        for entry in config.prompts
        for prompt in read_prompts(EMBEDDED if entry == "embedded" else Path(entry))
    }
    kinds = [
        [prompt for prompt in found.values() if prompt.harmful is harmful][: config.limit]
        for harmful in (True, False)
    ]
    return [prompt for kind in kinds for prompt in kind]


def _input_problems(config: Safety) -> Iterator[Problem]:
    if config.completions:
        try:
            read_stored(Path(config.completions))
        except (OSError, ConfigError) as error:
            fix = "give JailbreakBench's JSON of completions, or rows with prompt and response"
            yield from _refused("stored replies", error, fix)
        return
    try:
        read_attacks(Path(config.attacks or ATTACKS), config.wrappers)
    except (OSError, ValueError) as error:
        yield Problem(f"eval.safety.attacks: {_reason(error)}", "`ptx docs safety` has the fields")
    try:
        prompts = prompts_of(config)
    except (OSError, ConfigError) as error:
        fix = "give files such as eval.safety.prompts=[./harmful.csv,./xstest.csv], or embedded"
        yield from _refused("eval.safety.prompts", error, fix)
        return
    for harmful, what, example in (
        (True, "harmful", "./jailbreakbench.csv"),
        (False, "harmless", "./xstest_prompts.csv"),
    ):
        if not any(prompt.harmful is harmful for prompt in prompts):
            given = ",".join(config.prompts)
            without = (
                "over-refusal could not be measured" if not harmful else "there would be nothing to refuse"
            )
            yield Problem(
                f"eval.safety.prompts holds no {what} requests: {without}",
                f"add some: eval.safety.prompts=[{given},{example}], or embedded",
            )


def _refused(where: str, error: OSError | ConfigError, fix: str) -> Iterator[Problem]:
    """What is wrong with a file of the field ``where``; ``fix`` where the error has none."""
    if isinstance(error, ConfigError):
        yield from (Problem(f"{where}: {one.what}", one.fix or fix) for one in error.problems)
    else:
        yield Problem(f"{where}: {_reason(error)}", fix)


def _reason(error: Exception) -> str:
    return f"there is no file {error.filename}" if isinstance(error, FileNotFoundError) else str(error)


def _detector_problems(config: RunConfig, evaluator: Safety) -> Iterator[Problem]:
    """Over-refusal cannot be measured without a detector of refusals."""
    known = [config.scorer[name] for name in evaluator.detectors if name in config.scorer]
    if len(known) == len(evaluator.detectors) and not any(detects(scorer) == "refusal" for scorer in known):
        yield Problem(
            f"none of eval.safety.detectors={evaluator.detectors} detects refusals, so over-refusal cannot be"
            " measured",
            "add one: refusal_phrases or refusal_opening",
        )


def detects(scorer: Scorer) -> str:
    """What a high score means: ``refusal``, ``harm``, or ``some harm`` (a low score then means nothing).

    A scorer without ``detects`` detects ``harm``.
    """
    return str(getattr(scorer, "detects", "harm"))


def _scorer_problems(name: str, scorer: Scorer | None) -> Iterator[Problem]:
    if isinstance(scorer, RefusalOpening) and not Path(scorer.openings or OPENINGS).is_file():
        yield Problem(
            f"scorer.{name}.openings: there is no file {scorer.openings}",
            "leave it empty to use the plugin's own",
        )
    if isinstance(scorer, SafetyClassifier):
        yield from _classifier_problems(name, scorer)


def _classifier_problems(name: str, scorer: SafetyClassifier) -> Iterator[Problem]:
    fix = f"type scorer.{name}.path=./FOLDER, of a sequence classifier or a guard model"
    if not scorer.path:
        yield Problem(f"scorer.{name} has no model", fix)
        return
    folder = Path(scorer.path)
    if wrong := inspection.problems(folder):
        yield from (Problem(f"scorer.{name}: {problem.what}", problem.fix) for problem in wrong)
        return
    kind = inspection.inspect(folder).architecture
    if kind.endswith("ForSequenceClassification"):
        labels = (read_object(folder / "config.json").get("id2label") or {}).values()
        if scorer.label not in labels:
            yield Problem(
                f"scorer.{name}.label={scorer.label} is not a class of {folder}, which has"
                f" {', '.join(map(str, labels))}",
                f"name the unsafe one: scorer.{name}.label=...",
            )
    elif not kind.endswith("ForCausalLM"):
        yield Problem(
            f"scorer.{name}: {folder} is a {kind}, neither a sequence classifier nor a generative guard", fix
        )
    elif not inspection.chat_template(folder):
        yield Problem(f"scorer.{name}: {folder} has no chat template, which a guard model needs", fix)
