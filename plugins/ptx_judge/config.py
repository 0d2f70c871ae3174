"""The settings of the evaluator and of the four judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from ptx import ConfigError, Evaluator, Problem, RunConfig, Scorer, must_be_at_least, setting

AUTO, BASELINE, REFERENCES = AGAINST = ("auto", "baseline", "references")
READS = ("reply", "letters")
GRADES = (1.0, 10.0)


def _least(owner: Any, where: str, **bounds: float) -> None:
    for name, least in bounds.items():
        must_be_at_least(f"{where}.{name}", getattr(owner, name), least, f"{max(least, 1):g}")


@dataclass
class Judge(Evaluator):
    """Ask a judge which of two answers is better, and what each is worth."""

    compares: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, str]] = {
        "judge/win_rate": "The fraction of questions on which the judge prefers the model's answer, a tie"
        " counting half; higher is better.",
        "judge/win_rate_unchecked": "The same by a judge that was not checked against humans, or agrees too"
        " little; higher is better.",
        "judge/{win_rate}/consistency": "The fraction of pairs with the same verdict in both orders; higher"
        " is better.",
        "judge/{win_rate}/ties": "The fraction of questions with a tie; lower is better.",
        "judge/{win_rate}/same_answers": "The fraction of questions with two equal answers; lower is better.",
        "judge/{win_rate}/unparsable": "The fraction of questions without a verdict; lower is better.",
        "judge/{win_rate}/length_ratio": "Geometric mean of the model's answer length over the other's; lower"
        " is shorter.",
        "judge/{win_rate}/worst_case": "The win-rate with every missing verdict a loss; higher is better.",
        "judge/{win_rate}/best_case": "The win-rate with every missing verdict a win; higher is better.",
        "judge/{win_rate}/kappa": "The judge's agreement with humans, as Cohen's kappa; higher is better.",
        "judge/{win_rate}/length_controlled": "The win-rate at equal length (AlpacaEval 2), a fraction;"
        " higher is better.",
        "judge/score": "The judge's mean score of the model's answers, on its own scale (1-10 for grades);"
        " higher is better.",
        "judge/score/worst_case": "That mean with every missing score the lowest; higher is better.",
        "judge/score/best_case": "That mean with every missing score the highest; higher is better.",
        "judge/score/unparsable": "The fraction of answers without a score; lower is better.",
    }

    tasks: list[str] = setting(
        [],
        "files of questions (.jsonl, .json) or folders of them; empty: the held-out questions that come with"
        " the data",
    )
    scorer: str = setting("rule", "the judge: the name of a scorer (scorer.NAME sets it up)")
    against: str = setting(
        "auto",
        "whose answers to compare with: baseline (the model that the recipe starts from), references (of the"
        " questions), or a model folder; auto: baseline if the run has a step, else the references if there"
        " are some",
    )
    grade: bool = setting(
        False, "also grade every answer by itself (1-10 by endpoint and local); twice as many questions"
    )
    limit: int | None = setting(
        100, "ask only N questions, always the same ones whatever the order of the files; null: all"
    )
    max_new_tokens: int = setting(256, "longest answer, in tokens")
    temperature: float = setting(0.0, "temperature of the answers; 0 is greedy")
    seed: int = setting(0, "seed of answers at temperature > 0")
    margin: float = setting(
        0.0, "for a judge that only scores: two scores that differ by at most this are a tie"
    )
    min_kappa: float = setting(
        0.6,
        "agreement with humans (Cohen's kappa, ptx judge check) below which the win-rate is marked as"
        " unchecked",
    )

    def __post_init__(self) -> None:
        if self.against not in AGAINST and not self.opponent:
            raise ValueError(
                "eval.judge.against must be auto, baseline, references or a model folder, got"
                f" {self.against!r}; try eval.judge.against=baseline"
            )
        _least(self, "eval.judge", limit=1, max_new_tokens=1, temperature=0, margin=0)
        if not -1 <= self.min_kappa <= 1:
            raise ValueError(
                f"eval.judge.min_kappa must lie between -1 and 1, got {self.min_kappa}; try"
                " eval.judge.min_kappa=0.6"
            )

    def resolved(self, config: RunConfig) -> Judge:
        """Set ``against=auto`` to references or baseline.

        Without a step the baseline is the model itself; its answers are then compared with the references.
        """
        from ptx_judge import questions

        if self.against != AUTO:
            return self
        known = (
            not config.chain()
            and not questions.problems(self.tasks)
            and any(one.reference for one in questions.load(self.tasks))
        )
        return replace(self, against=REFERENCES if known else BASELINE)

    def inputs(self) -> list[Path]:
        """The files of questions, and the judge's checks against humans, which decide the win-rate's name."""
        from ptx_judge.ledger import checks_of
        from ptx_judge.questions import files

        checks = checks_of(self.scorer)
        return [*files(self.tasks), *([checks] if checks.is_dir() else []), *_folder(self.opponent)]

    @property
    def opponent(self) -> str:
        """The model folder to compare with, if ``against`` is one; else empty."""
        return (
            self.against
            if self.against not in AGAINST and (Path(self.against).expanduser() / "config.json").is_file()
            else ""
        )

    def scorers(self) -> list[str]:
        """The judge."""
        return [self.scorer]


@dataclass
class Rule(Scorer):
    """Checks only what needs no model: it does not judge quality, and needs no network.

    A completion gets 1 if it holds its reference's answer (as words, within at most ``words`` more words),
    and up to 0.1 for its form (not empty, not repeating itself, not too long). Without a reference only the
    form counts.
    """

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.1)

    words: int = setting(150, "most words that a completion may have beside the reference's")

    def __post_init__(self) -> None:
        _least(self, "scorer.rule", words=1)


@dataclass
class Asked(Scorer):
    """The common settings of judges that read a prompt: two rubrics, and which of them is used."""

    bounds: ClassVar[tuple[float, float]] = GRADES
    where: ClassVar[str] = ""

    rubric: str = setting(
        "grade", "template for a grade from 1 to 10: a packaged one by name, or a .jinja file"
    )
    pair_rubric: str = setting(
        "pair", "template for which of two is better: a packaged one by name, or a .jinja file"
    )
    compare: bool = setting(
        False,
        "score 1, 0.5 or 0 for a completion better than, equal to or worse than its reference; eval=[judge]"
        " sets it by itself",
    )

    def comparing(self) -> Scorer:
        """Itself with the pair rubric."""
        return replace(self, compare=True)

    @property
    def asked(self) -> str:
        """The rubric in use."""
        return self.pair_rubric if self.compare else self.rubric

    def inputs(self) -> list[Path]:
        """Both rubrics."""
        from ptx_judge.rubric import file_of

        return [path for name in (self.rubric, self.pair_rubric) if (path := file_of(name)).is_file()]


@dataclass
class Endpoint(Asked):
    """Any server with OpenAI's chat completions. The key comes from the environment and is never written."""

    where: ClassVar[str] = "scorer.endpoint"

    base_url: str = setting("", "address up to /v1, such as http://localhost:8000/v1")
    model: str = setting("", "the model's name on the server")
    key_env: str = setting(
        "OPENAI_API_KEY",
        "environment variable that holds the key; empty: the server needs none",
        identity=False,
    )
    temperature: float = setting(0.0, "temperature of the judge's replies")
    max_tokens: int = setting(1024, "longest reply of the judge, in tokens")
    args: dict[str, Any] = setting(
        {}, "further arguments of the request, such as reasoning_effort; null removes a default one"
    )
    concurrency: int = setting(8, "questions sent at a time", identity=False)
    timeout: float = setting(120.0, "seconds until a request is cancelled and tried again", identity=False)
    retries: int = setting(6, "retries of a request, with growing waits in between", identity=False)
    max_requests: int | None = setting(
        None, "limit of requests of one sweep, retries included; null: no limit", identity=False
    )
    max_spent_tokens: int | None = setting(
        None,
        "limit of tokens of one sweep, prompts and replies, as the server counts; null: no limit",
        identity=False,
    )

    def __post_init__(self) -> None:
        _least(
            self,
            self.where,
            temperature=0,
            max_tokens=1,
            concurrency=1,
            timeout=0.01,
            retries=0,
            max_requests=1,
            max_spent_tokens=1,
        )
        parts = urlsplit(self.base_url)
        if parts.username or parts.password or parts.query:
            raise ValueError(
                f"{self.where}.base_url must hold no key or password, because it is recorded; put it into an"
                f" environment variable and name that: {self.where}.key_env=NAME"
            )


@dataclass
class Local(Asked):
    """A judge that runs here: a model folder on any runtime."""

    where: ClassVar[str] = "scorer.local"

    model: str = setting("", "the judge's folder")
    runtime: str = setting("hf", "runtime that serves the judge, by name")
    options: dict[str, Any] = setting({}, "fields of that runtime")
    read: str = setting(
        "reply",
        "reply: read the verdict from the judge's text; letters: compare the probabilities of the possible"
        " verdicts",
    )
    max_new_tokens: int = setting(512, "longest reply, in tokens")

    def __post_init__(self) -> None:
        if self.read not in READS:
            raise ValueError(
                f"scorer.local.read must be reply or letters, got {self.read!r}; try"
                " scorer.local.read=letters"
            )
        _least(self, self.where, max_new_tokens=1)

    def inputs(self) -> list[Path]:
        """The rubrics and the judge's weights."""
        return [*super().inputs(), *_folder(self.model)]


@dataclass
class Reward(Scorer):
    """A reward model, with a scale of its own: of two answers the one with the higher score wins."""

    reads_turns: ClassVar[bool] = True

    model: str = setting(
        "",
        "the reward model: a folder of a sequence classifier with one label, or the step of the recipe that"
        " makes it (default: the latest such step)",
    )
    batch_size: int = setting(16, "answers per forward pass; padding changes the last digits of scores")
    max_length: int = setting(2048, "longest conversation, in tokens; a longer one is not scored")

    def __post_init__(self) -> None:
        _least(self, "scorer.reward", batch_size=1, max_length=1)

    def inputs(self) -> list[Path]:
        """The weights."""
        return _folder(self.model)

    def models(self, before: Mapping[str, Any]) -> dict[str, str]:
        """The step that makes the reward model, if one does."""
        made = [name for name, step in before.items() if step.makes == "reward"]
        if not self.model:
            return {"model": made[-1]} if made else {}
        if self.model in before and self.model not in made:
            what = f"scorer.reward.model={self.model} names a step that makes no reward model"
            raise ConfigError(
                Problem(what, "name a step with method=reward before it, or a folder as ./FOLDER")
            )
        return {"model": self.model} if self.model in made else {}


def _folder(model: str) -> list[Path]:
    folder = Path(model).expanduser()
    return [folder] if model and folder.is_dir() else []
