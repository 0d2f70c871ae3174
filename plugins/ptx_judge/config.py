"""What can be set: the evaluator and the four judges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from ptx import Evaluator, RunConfig, Scorer, must_be_at_least, setting

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

    tasks: list[str] = setting(
        [],
        "files of questions (.jsonl, .json) or folders of them; empty: the held-out ones that came with the"
        " data",
    )
    scorer: str = setting("rule", "who judges: the name of a scorer (scorer.NAME sets it up)")
    against: str = setting(
        "auto",
        "whose answers are to be beaten: baseline (the model as it came), references (of the questions), or a"
        " model folder; auto: baseline where the run makes another model of it, else the references where"
        " there are some",
    )
    grade: bool = setting(
        False, "also grade every answer by itself (1-10 by endpoint and local); twice as many questions"
    )
    limit: int | None = setting(
        100, "ask only N questions, always the same ones whatever the order of the files; null: all"
    )
    max_new_tokens: int = setting(256, "longest answer, in tokens")
    temperature: float = setting(0.0, "of the answers; 0 is greedy")
    seed: int = setting(0, "of answers at temperature > 0")
    margin: float = setting(
        0.0, "scores of judges that do not compare, no further apart than this, are a tie"
    )
    min_kappa: float = setting(
        0.6, "agreement with humans (Cohen's kappa, ptx judge check) below which the win-rate is marked"
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
        """Without a step the model as it came is the model itself: its answers are held against the
        references then.
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
        """The files that hold the questions, and the judge's checks against humans, which the win-rate's name
        and record tell of.
        """
        from ptx_judge.ledger import checks_of
        from ptx_judge.questions import files

        checks = checks_of(self.scorer)
        return [*files(self.tasks), *([checks] if checks.is_dir() else []), *_folder(self.opponent)]

    @property
    def opponent(self) -> str:
        """The model folder that is to be beaten, if ``against`` is one."""
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
    """Counts what a program can see, and nothing else: it is no judge of quality, and needs no network.

    1 for a completion that holds its reference's answer (as words, in at most ``words`` more words), and up
    to 0.1 for its form (says something, does not run in circles, is not too long), which alone decides where
    there is no reference.
    """

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.1)

    words: int = setting(150, "more words than this, beside the reference's, are too many")

    def __post_init__(self) -> None:
        _least(self, "scorer.rule", words=1)


@dataclass
class Asked(Scorer):
    """What judges that read a prompt share: the two rubrics, and which of them is asked."""

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
        "score 1, 0.5 or 0: is the completion better than its reference; eval=[judge] sets it by itself",
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
    """Any server that speaks OpenAI's chat completions. The key comes from the environment and is never
    written.
    """

    where: ClassVar[str] = "scorer.endpoint"

    base_url: str = setting("", "address up to /v1, such as http://localhost:8000/v1")
    model: str = setting("", "the model's name on the server")
    key_env: str = setting(
        "OPENAI_API_KEY",
        "environment variable that holds the key; empty: the server wants none",
        identity=False,
    )
    temperature: float = setting(0.0, "of the judge")
    max_tokens: int = setting(1024, "longest reply of the judge, in tokens")
    args: dict[str, Any] = setting(
        {}, "further arguments of the request, such as reasoning_effort; null takes one of ours out"
    )
    concurrency: int = setting(8, "questions under way at a time", identity=False)
    timeout: float = setting(120.0, "seconds until a request is given up and tried again", identity=False)
    retries: int = setting(6, "times a request is tried again, after longer and longer waits", identity=False)
    max_requests: int | None = setting(
        None, "budget of one sweep, retries included; null: none", identity=False
    )
    max_spent_tokens: int | None = setting(
        None,
        "budget of one sweep in tokens, prompt and reply, as the server counts; null: none",
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
                f"{self.where}.base_url must hold no key or password, as it is recorded; put it into an"
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
        "reply: let it write, read its verdict; letters: compare the probabilities of the possible verdicts",
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
    """A reward model: the higher of two scores wins. Its scale is its own."""

    model: str = setting("", "the reward model's folder: a sequence classifier with one label")
    batch_size: int = setting(16, "answers per forward pass; padding moves the last digits of scores")
    max_length: int = setting(2048, "longest conversation, in tokens; a longer one is not scored")

    def __post_init__(self) -> None:
        _least(self, "scorer.reward", batch_size=1, max_length=1)

    def inputs(self) -> list[Path]:
        """The weights."""
        return _folder(self.model)


def _folder(model: str) -> list[Path]:
    folder = Path(model).expanduser()
    return [folder] if model and folder.is_dir() else []
