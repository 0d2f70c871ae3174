"""The empty types, one per config group: a plugin derives its choices from them, and the type is the dispatch
key.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ptx.config.environment import Outside
from ptx.config.settings import setting
from ptx.errors import Problem, must_be_at_least

if TYPE_CHECKING:
    from ptx.config.run import RunConfig


@dataclass
class Model:
    """A ``model=`` choice; ``ptx_resolve`` makes a folder of it."""


@dataclass
class Data:
    """A ``data=`` choice; ``ptx_resolve`` makes a file or a folder of it."""

    limit: int | None = setting(None, "use only the first N rows of each shape")


@dataclass
class Lora:
    """Low-rank adapters (Hu et al. 2021) instead of full fine-tuning; ``lora=lora`` puts it into
    ``method.lora``.
    """

    r: int = setting(8, "rank of the update")
    alpha: int = setting(16, "scale: the update is multiplied by alpha / r")
    dropout: float = setting(0.0, "dropout on the adapter's input")
    targets: str = setting(
        "all-linear", "which modules: all-linear, or a comma-separated list such as q_proj,v_proj"
    )
    merge: bool = setting(
        True, "merge the adapter into the weights; false keeps an adapter folder beside its base"
    )
    quantize: bool = setting(False, "QLoRA: load the base in 4 bits (needs a GPU and bitsandbytes)")

    def __post_init__(self) -> None:
        for name in ("r", "alpha"):
            must_be_at_least(f"method.lora.{name}", getattr(self, name), 1, 8)


@dataclass
class Part:
    """What the core asks of every configured part of a run: a method, compressor, evaluator, runtime, decoding
    or scorer.

    ``needs`` names the data shapes that a step can work on, the preferred one first; empty: it reads no data.
    ``reads`` names further shapes of the same data, all of which it needs beside that one.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()

    def inputs(self) -> list[Path]:
        """Files and folders, beside data and model, whose content decides the result."""
        return []

    def scorers(self) -> list[str]:
        """Names of the scorers that it asks (``scorer.NAME``)."""
        return []

    def models(self, before: Mapping[str, Any]) -> dict[str, str]:
        """Further models that a step reads, each by its role (``teacher``): ``run.models`` holds them, and their
        content is in the step's key.

        A model is ``start`` (what the run started from), ``input`` (what the step is given), the name of an
        earlier step (what that made), or whatever ``model=`` takes. ``before`` holds the earlier steps by name,
        in order.
        """
        return {}

    def outside(self) -> Outside | None:
        """The environment that the step runs in (:class:`ptx.Outside`); None: this one."""
        return None


@dataclass
class QAT:
    """Quantisation-aware training (``qat=``): the grid that the weights will be rounded to; it goes into
    ``method.qat``.

    A wrapper of ``ptx_fit`` puts it on and takes it off again, around the loop of whatever method trains.
    """


@dataclass
class Method(Part):
    """A training method (``method=``).

    ``parallel=True``: several ranks (``launch=torchrun``) can train it together; rank 0 alone writes.
    """

    parallel: ClassVar[bool] = False
    lora: Any = setting(None, "adapters; set by lora=lora")
    qat: Any = setting(None, "quantisation-aware training; set by qat=NAME")


@dataclass(frozen=True)
class Promise:
    """What a compressor's result must show when it is read back from disk; the plugin ``ptx_checks`` fails
    the step if it does not.

    Everything has a default that suits a stranger: what is not promised is measured and told, not judged.
    *Layers* are the linear layers but for the output embedding; shares are of their weights.
    """

    sparsity: float | None = None  # share of zeros in the layers that ``skip`` leaves
    pattern: str = ""  # n:m: at least n zeros in every m neighbours of a row
    bits: float | None = None  # stored bits per weight, without scales
    skip: tuple[str, ...] = ()  # regular expressions: these layers stay bit for bit what they were
    every_layer: bool = False  # no layer that ``skip`` leaves stays what it was
    nothing_else: bool = False  # embeddings, norms and the output layer stay bit for bit what they were
    keeps_zeros: bool = True  # weights that an earlier step pruned stay zero
    dtype: str = ""  # what is not quantised is stored in this dtype; empty: in the one it came in
    max_bytes: int | None = None  # of all files of the result
    size: float | None = (
        # bytes of the result as a share of those of the model it was made of (of an adapter: of its base)
        None
    )


@dataclass
class Compressor(Part):
    """A compression step (``compress=[...]``). :meth:`promise` says what its result is checked for.

    One that trains derives from :class:`Method` too, and is asked by ``ptx_train``.
    """

    needs: ClassVar[tuple[str, ...]] = ("calibration",)

    def promise(self) -> Promise:
        """What must be true of the result."""
        return Promise()


@dataclass
class Evaluator(Part):
    """A measurement (``eval=[...]``).

    The class says what its result depends on beside its settings and the artifact: ``opens_model=False``
    loads the artifact by itself (``lm`` is None); ``timed=True`` depends on the machine; ``seeded=True`` on
    the run's seed; ``compares=True`` on the baseline model. ``filled_from_data`` says which of its fields, where they
    are empty, are filled with what came with the data (``tasks``, ``heldout``, ``general``), and
    ``self_sufficient=True`` that it has content of its own where nothing came. ``default_for`` are kinds of
    steps with which it is measured without being asked for, ``train``: whatever else is measured, unless
    ``eval.NAME=false``. ``metrics`` declares what it measures, for the reference pages: a metric's name, with
    placeholders in braces (``bench/{task}/{metric}``), and a sentence with its unit and its better direction.
    """

    opens_model: ClassVar[bool] = True
    timed: ClassVar[bool] = False
    seeded: ClassVar[bool] = False
    compares: ClassVar[bool] = False
    filled_from_data: ClassVar[Mapping[str, str]] = {"tasks": "tasks", "texts": "heldout"}
    self_sufficient: ClassVar[bool] = False
    default_for: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[Mapping[str, str]] = {}

    # for those whose settings follow from the run
    def resolved(self, config: RunConfig) -> Evaluator:
        """Itself with the settings that follow from the rest of the run, before its key is made."""
        return self


@dataclass
class Runtime(Part):
    """What serves a model (``runtime=``). ``exports=True``: a model folder must be exported first
    (``ptx_export``).

    ``serves=False``: it is only exported for, and nothing can be measured on it.
    """

    exports: ClassVar[bool] = False
    serves: ClassVar[bool] = True

    def served(self) -> Outside | None:
        """The environment that it is served from (:class:`ptx.Outside`), if not this one: it decides what is
        measured.
        """
        return None


@dataclass
class Decode(Part):
    """How an answer is made of what a runtime generates (``decode=``): test-time compute. Without one, of one
    generation.

    It is the measured system's: every evaluator that generates text gets its answers, log-likelihoods stay
    those of the model.
    """


@dataclass
class Scorer(Part):
    """Scores completions (``scorer.NAME``): rewards of GRPO, judges, safety classifiers. ``bounds`` are the
    ends of its scale.
    """

    bounds: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def comparing(self) -> Scorer | None:
        """The same judge asked which is better: it scores 1 where the completion beats the reference, 0.5 for
        a tie, 0 else.

        None: it has no such question, and who wants to compare two completions compares their scores.
        """
        return None


@dataclass
class Tracker:
    """An observer of runs (``tracker=[...]``); write-only, may fail, never stops a run."""


@dataclass
class Launch:
    """Where a step runs (``launch=``); without one, inside the process that takes the run.

    ``kinds`` are the kinds of steps it is for (train, compress, export); all others run inline.
    """

    kinds: ClassVar[tuple[str, ...]] = ()

    @property
    def ranks(self) -> int:
        """How many processes take the step together."""
        return 1

    @property
    def shards(self) -> bool:
        """Whether a rank may hold only a part of the model."""
        return False

    def command(self, child: list[str]) -> list[str]:
        """The command line that runs ``child``, a module and its arguments, in every rank."""
        return [sys.executable, "-m", *child]

    def decides(self) -> dict[str, Any]:
        """What of it decides the result, for the step's key; empty: nothing."""
        return {}


@dataclass
class Cluster:
    """Where the runs of a sweep go (``cluster=``); without one, they stay on this machine."""

    def problems(self, config: RunConfig) -> list[Problem]:
        """What is wrong with sending this run there, found before anything is sent."""
        return []


#: group -> the empty type its choices derive from, and whether several may be chosen at once
GROUPS: dict[str, tuple[type, bool]] = {
    "model": (Model, False),
    "data": (Data, False),
    "method": (Method, False),
    "lora": (Lora, False),
    "qat": (QAT, False),
    "compress": (Compressor, True),
    "runtime": (Runtime, False),
    "decode": (Decode, False),
    "eval": (Evaluator, True),
    "scorer": (Scorer, True),
    "tracker": (Tracker, True),
    "launch": (Launch, False),
    "cluster": (Cluster, False),
}
#: former name of a group -> its present name; a word with the former name is answered with the present one
FORMER_GROUPS = {"through": "qat"}
#: groups that say how the method trains, with what is typed for them: a choice goes into the method's field
#: of that name
IN_METHOD = {"lora": "lora=lora", "qat": "qat=NAME"}
