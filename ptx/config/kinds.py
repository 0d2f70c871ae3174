"""The base types of the config groups.

A plugin derives its choices from them, and the type of a configuration is the dispatch key of the hooks.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ptx.config.acting import Environment
from ptx.config.environment import Outside
from ptx.config.promise import Promise
from ptx.config.settings import setting
from ptx.config.speed import Speed
from ptx.errors import Problem, must_be_at_least

if TYPE_CHECKING:
    from typing import Self

    from ptx.config.run import RunConfig
    from ptx.models.memory import Amount, Memory, Workload
    from ptx.models.shape import ModelShape


@dataclass
class Model:
    """A ``model=`` choice; ``ptx_resolve`` gives its folder."""


@dataclass
class Data:
    """A ``data=`` choice; ``ptx_resolve`` gives its file or folder."""

    limit: int | None = setting(None, "use only the first N rows of each shape")
    drop: list[str] = setting([], "columns, and keys of messages, that are left out on purpose")
    bad: str = setting(
        "refuse", "rows that cannot be used: refuse (stop), or drop (leave them out, say how many)"
    )


@dataclass
class Lora:
    """Low-rank adapters (Hu et al. 2021) instead of full fine-tuning; ``lora=lora`` sets ``method.lora``."""

    r: int = setting(8, "rank of the update")
    alpha: int = setting(16, "scale: the update is multiplied by alpha / r")
    dropout: float = setting(0.0, "dropout on the adapter's input")
    targets: list[str] = setting(["all-linear"], "which modules: all-linear, or names such as q_proj,v_proj")
    merge: bool = setting(
        True, "merge the adapter into the weights; false keeps an adapter folder beside its base"
    )
    quantize: bool = setting(False, "QLoRA: load the base in 4 bits (needs a GPU and bitsandbytes)")

    def __post_init__(self) -> None:
        for name in ("r", "alpha"):
            must_be_at_least(f"method.lora.{name}", getattr(self, name), 1, 8)


@dataclass
class Part:
    """What the core asks of every part of a run: method, compressor, evaluator, runtime, decoding or scorer.

    ``needs`` names the data shapes that a step can work on, the preferred one first; empty: it reads no data.
    ``reads`` names further shapes of the same data, all of which it needs in addition.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()
    #: what a step makes; the steps after it start from a ``model``, anything else stands beside the line
    makes: ClassVar[str] = "model"

    def inputs(self) -> list[Path]:
        """Files and folders, in addition to data and model, whose content decides the result."""
        return []

    def scorers(self) -> list[str]:
        """Names of the scorers that it asks (``scorer.NAME``)."""
        return []

    def models(self, before: Mapping[str, Any]) -> dict[str, str]:
        """Further models that a step reads, by role (``teacher``); ``run.models`` holds them.

        A model is ``start`` (that of the run), ``input`` (that of the step), the name of an earlier step (its
        result), or any value of ``model=``. ``before`` holds the earlier steps by name, in order. The content
        of the models is in the key of the step.
        """
        return {}

    def outside(self) -> Outside | None:
        """The environment that the step runs in (:class:`ptx.Outside`); None: this one."""
        return None

    def memory(self, work: Workload) -> Memory | None:
        """The peak memory of a step, forecast from sizes alone; None: nobody knows.

        It is called for every step of a plan, so it imports no library.
        """
        return None

    def placed(self, model: ModelShape, device: str) -> Self:
        """The part with what follows from the machine and the run's model, before its key is made."""
        return self

    def fitted(self, work: Workload, free: float, ranks: int = 1) -> Self:
        """The part with those settings filled in that follow from the memory that is free when it starts."""
        return self

    def amount(self, work: Workload) -> Amount | None:
        """How much a step does, so that its time follows from that of others; None: only from equal ones."""
        return None

    def saves_memory(self, work: Workload) -> list[str]:
        """What to type for less memory, the mildest first."""
        return []

    def smaller(self) -> Self | None:
        """The part as it does the same with less memory, after that was full; None: it cannot."""
        return None


@dataclass
class QAT:
    """Quantisation-aware training (``qat=``, in ``method.qat``): the grid that weights will be rounded to.

    A wrapper of ``ptx_fit`` applies it during the training loop of any method and removes it afterwards.
    """


@dataclass
class Method(Part):
    """A training method (``method=``).

    ``parallel=True``: several ranks (``launch=torchrun``) can train together; only rank 0 writes.
    ``acts=True``: it learns from what a model does with the tools of an environment.
    """

    parallel: ClassVar[bool] = False
    acts: ClassVar[bool] = False
    lora: Any = setting(None, "adapters; set by lora=lora")
    qat: Any = setting(None, "quantisation-aware training; set by qat=NAME")
    speed: Any = setting(None, "what may be done to be fast; set by speed=NAME (default: fast)")
    environment: Any = setting(None, "tools and a task; set by environment=NAME", identity=False)


@dataclass(kw_only=True)
class Compressor(Part):
    """A compression step (``compress=[...]``); its result is checked against :meth:`promise`.

    A compressor that trains derives from :class:`Method` too; then ``ptx_train`` is called for it.
    """

    needs: ClassVar[tuple[str, ...]] = ("calibration",)
    collapse: str = setting(
        "refuse",
        "a result that predicts text worse than guessing, while its input did not: refuse, or warn",
        identity=False,
    )

    def promise(self) -> Promise:
        """The properties that the result must have."""
        return Promise()


@dataclass
class Maker(Part):
    """A step that makes data (``make=``): samples, judges, rewrites or selects. The model stays as it came.

    A later step learns from it (``data: NAME`` in a recipe). What is made is opened and checked like a file
    of the user. A maker without ``needs`` reads no data.
    """

    makes: ClassVar[str] = "data"

    def gives(self, reads: str) -> tuple[str, ...]:
        """The shapes of what it makes, known before it is made.

        ``reads`` is the shape that it reads; empty for a maker that reads no data.
        """
        return (reads,)

    def opens_model(self) -> bool:
        """Whether the result depends on a model; then the model and its runtime are in the key."""
        return True

    def draws(self) -> bool:
        """Whether the result depends on the seed; what draws nothing is made once for all seeds."""
        return True

    def resolved(self, config: RunConfig) -> Maker:
        """The maker with the settings that follow from the rest of the run, before its key is made."""
        return self


@dataclass
class Evaluator(Part):
    """A measurement (``eval=[...]``).

    Flags of the class say what the result depends on in addition to the settings and the model:
    ``timed=True`` on the machine, ``seeded=True`` on the seed of the run, ``compares=True`` on the baseline
    model. With ``opens_model=False`` the evaluator opens the model itself (``lm`` is None).

    ``filled_from_data`` maps fields to files beside the data (``tasks``, ``heldout``, ``general``): an empty
    field is filled with them. ``self_sufficient=True`` says that the evaluator has content of its own where
    the data has no such file. ``default_for`` names kinds of steps; with ``train`` it is added whenever a run
    trains and measures anything, unless ``eval.NAME=false``. ``metrics`` declares its metrics for the
    reference pages: the name, with placeholders in braces (``bench/{task}/{metric}``), and a sentence with
    the unit and the better direction.
    """

    opens_model: ClassVar[bool] = True
    timed: ClassVar[bool] = False
    seeded: ClassVar[bool] = False
    compares: ClassVar[bool] = False
    filled_from_data: ClassVar[Mapping[str, str]] = {"tasks": "tasks", "texts": "heldout"}
    self_sufficient: ClassVar[bool] = False
    default_for: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[Mapping[str, str]] = {}

    def resolved(self, config: RunConfig) -> Evaluator:
        """The evaluator with the settings that follow from the rest of the run, before its key is made."""
        return self

    def work(self) -> str:
        """How much it reads for one model, for the plan: ``220 texts (80 kB)``; empty if unknown."""
        return ""


@dataclass
class Runtime(Part):
    """A runtime that serves models (``runtime=``).

    ``exports=True``: a model folder must be exported first (``ptx_export``). ``serves=False``: models are
    only exported, and nothing can be measured.
    """

    exports: ClassVar[bool] = False
    serves: ClassVar[bool] = True

    def served(self) -> Outside | None:
        """The environment that serves the model (:class:`ptx.Outside`), if not this one.

        It decides what is measured, so it is in the keys of evaluations.
        """
        return None

    def for_rollouts(self) -> Runtime:
        """The same with what sampling for a training needs (``method.rollout``)."""
        return self


@dataclass
class Decode(Part):
    """Test-time compute (``decode=``): makes an answer of several generations of a runtime.

    It belongs to the measured system: every evaluator that generates text gets its answers. Log-likelihoods
    stay those of the model. Without it an answer is one generation.
    """


@dataclass
class Scorer(Part):
    """Scores completions (``scorer.NAME``): rewards of GRPO, judges, safety classifiers.

    ``bounds`` are the ends of its scale. With ``reads_turns=True`` it gets a prompt that is a conversation as
    a list of messages; otherwise every prompt is a text, a conversation with its roles.
    """

    bounds: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    reads_turns: ClassVar[bool] = False

    def comparing(self) -> Scorer | None:
        """The same judge for comparisons: 1 where the completion beats the reference, 0.5 for a tie, else 0.

        None where it cannot compare; then two completions are compared by their scores.
        """
        return None


@dataclass
class Tracker:
    """An observer of runs (``tracker=[...]``); it receives numbers only, and its errors never stop a run."""


@dataclass
class Launch:
    """The place where steps run (``launch=``); without one, the process that executes the run.

    ``kinds`` are the kinds of steps that it applies to (train, compress, export); all others run inline.
    """

    kinds: ClassVar[tuple[str, ...]] = ()

    @property
    def ranks(self) -> int:
        """The number of processes that run the step together."""
        return 1

    @property
    def shards(self) -> bool:
        """Whether a rank may hold only a part of the model."""
        return False

    def command(self, child: list[str]) -> list[str]:
        """The command line that runs ``child``, a module and its arguments, in every rank."""
        return [sys.executable, "-m", *child]

    def decides(self) -> dict[str, Any]:
        """The ingredients of the step's key that the launch decides; empty where the result is the same."""
        return {}


@dataclass
class Cluster:
    """The cluster that executes the runs of a sweep (``cluster=``); without one, this machine."""

    def problems(self, config: RunConfig) -> list[Problem]:
        """The problems of a run on this cluster, found before anything is submitted."""
        return []


#: group -> the base type of its choices, and whether several may be chosen at once
GROUPS: dict[str, tuple[type, bool]] = {
    "model": (Model, False),
    "data": (Data, False),
    "method": (Method, False),
    "lora": (Lora, False),
    "qat": (QAT, False),
    "speed": (Speed, False),
    "environment": (Environment, False),
    "compress": (Compressor, True),
    "make": (Maker, False),
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
#: groups whose choice is the field of that name of a method -> the word that sets it
IN_METHOD = {"lora": "lora=lora", "qat": "qat=NAME", "speed": "speed=fast", "environment": "environment=NAME"}
#: and what such a field holds where nothing is typed
IN_METHOD_BY_DEFAULT = {"speed": Speed}
