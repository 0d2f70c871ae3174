"""The run that plugins receive: where to write, how to report progress, and access to models and scorers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ptx.config import RunConfig, Scorer
from ptx.data.conversations import as_text
from ptx.data.tools import Turn
from ptx.files import append_event
from ptx.hooks.host import Host
from ptx.records import ModelRef, Score
from ptx.store.entry import Identity


class LanguageModel(Protocol):
    """A model that is open on a runtime.

    Prompts are finished texts: the caller has applied the chat template. ``max_length`` is the context in
    tokens. ``emulated`` is a sentence on why time and memory differ from those of a deployment (a quantised
    checkpoint that is unpacked first); empty where they do not.

    Optional are ``loglikelihood_tokens(pairs)``, ``loglikelihood`` for token ids, and ``log_probs(rows)``,
    log-probabilities as ``logits``; without them, ``logits`` are used. A runtime that chooses its batches has
    ``batches``, whose ``settled()`` goes into the record. For ``method.rollout`` a runtime has
    ``sampled(rows, most, temperature, seed)``, (tokens, their log-probabilities) for each row, and, if it can
    take new weights while it is open, ``renew(folder)``. Three more members are optional, for
    ``eval=[latency]``: ``concurrent``, true where several threads may call the model at once;
    ``time_clients(prompt_tokens, new_tokens, clients, each)`` of an engine that batches requests as they
    arrive; and ``peak_memory()`` in bytes, of a model that runs in other processes.
    """

    max_length: int
    emulated: str

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, of transformers' kind; it may be read at the first access."""

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        *,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """The continuation of each prompt, without the prompt, cut before a stop string.

        Decoding is greedy at temperature 0.
        """

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
        """The log-probability in nats of each continuation, and whether greedy decoding gives it.

        A pair is (context, continuation).
        """

    def logits(self, rows: Sequence[Sequence[int]]) -> Iterator[Any]:
        """For each row of T token ids a float32 numpy array (T, V): after each token the scores of the next.

        The arrays come one by one, in the order of the rows. A runtime may read rows that follow each other
        together, so rows sorted by length are read fastest.
        """

    def time_request(self, prompt_tokens: int, new_tokens: int, batch_size: int = 1) -> tuple[float, float]:
        """Seconds to the first new token, and from there to the last, of one request.

        The prompt is random tokens, and the generation never ends early.
        """

    def close(self) -> None:
        """Free memory and processes."""


class Console(Protocol):
    """The display of progress and messages."""

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Show the progress of a step: ``step`` of ``total`` and the latest metrics."""

    def say(self, text: str) -> None:
        """Print a line."""


@dataclass(frozen=True)
class Run:
    """A run in progress, as the present step or evaluation sees it."""

    config: RunConfig
    host: Host
    console: Console
    folder: Path  # the folder that this step or evaluation writes to
    events: Path  # events.jsonl of the step or evaluation
    checkpoints: Path  # survives a kill; removed when the step has finished
    seed: int
    device: str  # "cpu" or "cuda"
    label: str = ""
    plan: Any = None
    record: Path = Path()
    reported: set[str] = field(default_factory=set)
    store: Any = None  # ptx.store.store.Store; None outside of a sweep
    models: Mapping[str, ModelRef] = field(default_factory=dict)  # those that the step names in ``models()``
    lent: dict[str, LanguageModel] | None = None  # models that the evaluations of an artifact share

    def log(self, metrics: dict[str, float], step: int, total: int | None = None) -> None:
        """Report metrics at ``step`` of ``total`` to events.jsonl, the terminal and the trackers."""
        self.event("log", step=step, total=total, metrics=metrics)
        self.console.progress(self.label, metrics, step, total)
        self.track(metrics, step)

    def event(self, event: str, **fields: Any) -> None:
        """Write an event to the log of the step and to that of the run."""
        journal = self.record / "events.jsonl"
        append_event(self.events, event, **fields)
        if self.record != Path() and journal != self.events:
            append_event(journal, event, label=self.label, **fields)

    def track(self, metrics: dict[str, float], step: int) -> None:
        """Send metrics to the trackers; an error of a tracker is shown once and never stops the run."""
        try:
            self.host.hook.ptx_log(run=self, metrics=metrics, step=step)
        except Exception as error:  # noqa: BLE001 (a tracker may fail in any way and must not stop a run)
            if str(error) not in self.reported:
                self.reported.add(str(error))
                self.say(f"tracker failed: {type(error).__name__}: {error}")

    def say(self, text: str) -> None:
        """Show a message and write it to the log."""
        self.event("message", text=text)
        self.console.say(f"{self.label}: {text}" if self.label else text)

    def score(
        self,
        scorer: str | Scorer,
        prompts: Sequence[str | list[Turn]],
        completions: list[str],
        references: list[str | None],
    ) -> list[float]:
        """The scores of completions by a scorer: one that is configured under ``scorer.NAME``, or a value.

        A prompt is a text, or the messages of a conversation; a scorer without ``reads_turns`` gets the text.
        A score may be a :class:`ptx.Score`, which also holds the reason for a nan and the text of a judge.
        """
        chosen = self._with_models(self.config.scorer[scorer] if isinstance(scorer, str) else scorer)
        scores = self.host.first(
            "ptx_score",
            run=self,
            scorer=chosen,
            prompts=list(prompts) if chosen.reads_turns else [as_text(prompt) for prompt in prompts],
            completions=list(completions),
            references=list(references),
        )
        return [score if isinstance(score, Score) else float(score) for score in scores]

    def _with_models(self, scorer: Scorer) -> Scorer:
        """A configured scorer with the folders of the models that it names by step."""
        name = next((name for name, one in self.config.scorer.items() if one is scorer), None)
        made = {
            role.rpartition(".")[2]: str(model.path)
            for role, model in self.models.items()
            if role.startswith(f"scorer.{name}.")
        }
        return replace(scorer, **made) if made else scorer

    def load(self, model: ModelRef) -> LanguageModel:
        """Open a model on the runtime of the run."""
        opened: LanguageModel = self.host.first(
            "ptx_load", runtime=self.config.runtime, model=model, device=self.device
        )
        return opened

    @contextmanager
    def lend(self, model: ModelRef) -> Iterator[LanguageModel]:
        """A model on the runtime of the run, opened once for all evaluations of an artifact.

        Between two evaluations it stays open, for the next that compares with the same model. Elsewhere it
        is closed when the block ends.
        """
        if self.lent is None:
            lm = self.load(model)
            try:
                yield lm
            finally:
                lm.close()
            return
        key = f"{model.digest or model.path} {self.config.runtime}"
        if key not in self.lent:
            self.lent[key] = self.load(model)
        yield self.lent[key]

    def of_baseline(self) -> Run:
        """The same run on the runtime of the baseline: ``baseline_runtime=`` where that is given."""
        declared = self.config.baseline_runtime
        return self if declared is None else self.at(config=replace(self.config, runtime=declared))

    def decoding(self, lm: LanguageModel) -> LanguageModel:
        """``lm``, wrapped by the run's ``decode=`` where there is one."""
        if self.config.decode is None:
            return lm
        wrapped: LanguageModel = self.host.first("ptx_decode", run=self, decode=self.config.decode, lm=lm)
        return wrapped

    def product(self, name: str, ingredients: dict[str, Any], build: Callable[[Path], None]) -> Path:
        """The folder of a by-product that several steps may share, such as log-probabilities of a reference.

        Args:
            name: a word for what it is.
            ingredients: everything that decides its content, as plain data; its key is made of it. If
                something is missing here, steps silently share a wrong by-product.
            build: writes it into a given folder; called once over all steps, runs and processes on the store.

        Returns:
            A folder to read from. Outside of a sweep there is no store, and it lies below ``run.folder``.
        """
        identity = Identity("products", {"choice": name, **ingredients})
        if self.store is None:
            return _build_here(self.folder / "products" / identity.key, build)

        def waiting(owner: str) -> None:
            self.console.say(f"{name}: waiting for {owner}, which is building it")

        entry, shared = self.store.fetch(
            identity, lambda staging: _timed_build(build, staging.payload), waiting, self.say
        )
        self.event("product", name=name, key=identity.key, shared=shared, seconds=entry.meta["seconds"])
        return Path(entry.payload)

    def has_product(self, name: str, ingredients: dict[str, Any]) -> bool:
        """Whether the store holds a product already."""
        identity = Identity("products", {"choice": name, **ingredients})
        return self.store is not None and self.store.find(identity) is not None

    def at(self, **changes: Any) -> Run:
        """The same run with other values of some fields, such as its folder and label."""
        return replace(self, **changes)

    @staticmethod
    def clock() -> float:
        """A monotonic time in seconds."""
        return time.perf_counter()


def _timed_build(build: Callable[[Path], None], folder: Path) -> dict[str, Any]:
    started = time.perf_counter()
    build(folder)
    return {"seconds": round(time.perf_counter() - started, 3)}


def _build_here(folder: Path, build: Callable[[Path], None]) -> Path:
    """Without a store: ``folder``, built once per step; it is complete as soon as it exists."""
    if not folder.is_dir():
        staged = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        build(staged)
        staged.rename(folder)
    return folder
