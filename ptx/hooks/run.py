"""What a plugin is handed while it works: where to write, how to report progress, whom to ask."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ptx.config import RunConfig, Scorer
from ptx.files import append_event
from ptx.hooks.host import Host
from ptx.records import ModelRef, Score
from ptx.store.entry import Identity


class LanguageModel(Protocol):
    """A model opened on a runtime. Prompts are finished texts: the chat template has been applied by the
    caller.

    ``emulated`` says, in a sentence, why this runtime's time and memory would not be those of a deployment (a
    quantised checkpoint that is unpacked first); empty where they would. ``max_length`` is the context in
    tokens. Three things are optional, for ``eval=[latency]``: ``concurrent``, true where several threads may
    call it at once; ``time_clients(prompt_tokens, new_tokens, clients, each)`` of an engine that batches
    requests as they come; and ``peak_memory()`` in bytes, of a model that lies in other processes.
    """

    max_length: int
    emulated: str

    @property
    def tokenizer(self) -> Any:
        """Of transformers' kind; may be read only when it is first asked for."""

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        *,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """Continue each prompt; greedy at temperature 0. Returns only the new text, cut before a stop
        string.
        """

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
        """Per (context, continuation): the continuation's log-probability in nats, and whether greedy
        decoding gives it.
        """

    def logits(self, rows: Sequence[Sequence[int]]) -> Iterator[Any]:
        """Per row of T token ids a float32 numpy array (T, V): after each token, the scores of the next. Row
        by row, in order.
        """

    def time_request(self, prompt_tokens: int, new_tokens: int, batch_size: int = 1) -> tuple[float, float]:
        """Seconds to the first new token, and from there to the last, of one request of random tokens that
        never ends early.
        """

    def close(self) -> None:
        """Free memory and processes."""


class Console(Protocol):
    """Where progress is shown."""

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Show where a step stands."""

    def say(self, text: str) -> None:
        """Print a line."""


@dataclass(frozen=True)
class Run:
    """One run under way, as seen by the step or evaluation that is working now."""

    config: RunConfig
    host: Host
    console: Console
    folder: Path  # where this step or evaluation writes
    events: Path  # events.jsonl of the step or evaluation
    checkpoints: Path  # survives a kill; gone when the step has finished
    seed: int
    device: str  # "cpu" or "cuda"
    label: str = ""
    plan: Any = None
    record: Path = Path()
    reported: set[str] = field(default_factory=set)
    store: Any = None  # ptx.store.store.Store while a sweep runs; None outside of one
    models: Mapping[str, ModelRef] = field(default_factory=dict)  # those that the step named in ``models()``

    def log(self, metrics: dict[str, float], step: int, total: int | None = None) -> None:
        """Report progress of ``step`` out of ``total``: to events.jsonl, the terminal and the trackers."""
        self.event("log", step=step, total=total, metrics=metrics)
        self.console.progress(self.label, metrics, step, total)
        self.track(metrics, step)

    def event(self, event: str, **fields: Any) -> None:
        """Write an event to the step's log and to the run's record."""
        journal = self.record / "events.jsonl"
        append_event(self.events, event, **fields)
        if self.record != Path() and journal != self.events:
            append_event(journal, event, label=self.label, **fields)

    def track(self, metrics: dict[str, float], step: int) -> None:
        """Hand numbers to the trackers; a tracker that fails is named once and never stops the run."""
        try:
            self.host.hook.ptx_log(run=self, metrics=metrics, step=step)
        except Exception as error:  # noqa: BLE001 (a tracker may fail in any way and must not stop a run)
            if str(error) not in self.reported:
                self.reported.add(str(error))
                self.say(f"tracker failed: {type(error).__name__}: {error}")

    def say(self, text: str) -> None:
        """Tell the user, and the record."""
        self.event("message", text=text)
        self.console.say(f"{self.label}: {text}" if self.label else text)

    def score(
        self, scorer: str | Scorer, prompts: list[str], completions: list[str], references: list[str | None]
    ) -> list[float]:
        """Ask a scorer: the one configured under ``scorer.NAME``, or one that was made of it
        (``comparing()``).

        A score may be a :class:`ptx.Score`, which also says why there is none, or what the judge said.
        """
        asked = self.config.scorer[scorer] if isinstance(scorer, str) else scorer
        scores = self.host.first(
            "ptx_score",
            run=self,
            scorer=asked,
            prompts=prompts,
            completions=completions,
            references=references,
        )
        return [score if isinstance(score, Score) else float(score) for score in scores]

    def load(self, model: ModelRef) -> LanguageModel:
        """Open a model on the run's runtime."""
        opened: LanguageModel = self.host.first(
            "ptx_load", runtime=self.config.runtime, model=model, device=self.device
        )
        return opened

    def of_baseline(self) -> Run:
        """The run as the baseline is measured in it: on ``baseline_runtime=`` where that is given."""
        declared = self.config.baseline_runtime
        return self if declared is None else self.at(config=replace(self.config, runtime=declared))

    def decoding(self, lm: LanguageModel) -> LanguageModel:
        """``lm`` with the answers that the run's ``decode=`` makes of its generations; without one,
        itself.
        """
        if self.config.decode is None:
            return lm
        wrapped: LanguageModel = self.host.first("ptx_decode", run=self, decode=self.config.decode, lm=lm)
        return wrapped

    def product(self, name: str, ingredients: dict[str, Any], build: Callable[[Path], None]) -> Path:
        """The folder of a by-product that several steps may share (log-probabilities of a reference,
        features, ...).

        Args:
            name: what it is, in a word.
            ingredients: everything that decides its content, as plain data: its key. What is missing here
                makes it wrong silently.
            build: writes it into the folder it is given; called once over all steps, runs and processes on
                the store.

        Returns:
            A folder to read from. Outside of a sweep there is no store, and it lies below ``run.folder``.
        """
        identity = Identity("products", {"choice": name, **ingredients})
        if self.store is None:
            return _build_here(self.folder / "products" / identity.key, build)
        # the store's way to call
        waiting = lambda owner: self.console.say(f"{name}: waiting for {owner}, which is at it")  # noqa: E731
        entry, shared = self.store.fetch(
            identity, lambda staging: _built(build, staging.payload), waiting, self.say
        )
        self.event("product", name=name, key=identity.key, shared=shared, seconds=entry.meta["seconds"])
        return Path(entry.payload)

    def at(self, **changes: Any) -> Run:
        """The same run with another folder, label, ..."""
        return replace(self, **changes)

    @staticmethod
    def clock() -> float:
        """Seconds, monotonic."""
        return time.perf_counter()


def _built(build: Callable[[Path], None], folder: Path) -> dict[str, Any]:
    started = time.perf_counter()
    build(folder)
    return {"seconds": round(time.perf_counter() - started, 3)}


def _build_here(folder: Path, build: Callable[[Path], None]) -> Path:
    """Without a store: built once per step, and whole where it is there."""
    if not folder.is_dir():
        staged = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        build(staged)
        staged.rename(folder)
    return folder
