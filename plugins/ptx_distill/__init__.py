"""Distillation: a student model learns from a teacher model (Hinton et al. 2015).

The best small models are trained this way, and a pruned model recovers faster. ``compress=[distill]`` makes a
student of half the layers and trains it. After a pruning step the pruned model learns from the model before
pruning (Minitron, Muralidharan et al. 2024). Distillation is training, so every choice is a training method
too, with checkpoints, adapters and TRL's arguments.

* ``distill``: learn the teacher's next-token distribution, its hidden states and the data on given texts,
each
  with a weight
* ``distill_sequence``: imitate answers that the teacher generates once (Kim & Rush 2016)
* ``distill_onpolicy``: the student answers, the teacher scores every token (Agarwal et al. 2024; TRL's
  DistillationTrainer)
* ``distill_gold``: learn from a teacher with another tokenizer (TRL's GOLD)
"""

from __future__ import annotations

from pathlib import Path

from ptx import Choice, DataSet, Problem, RunConfig, hookimpl
from ptx_distill.settings import Distill, Gold, OnPolicy, Sequence, Taught

__all__ = ["Distill", "Gold", "OnPolicy", "Sequence"]

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")
#: name -> configuration, the function that trains, help text
CHOICES = {
    "distill": (
        Distill,
        "ptx_distill.train:train",
        "learn a teacher's distribution and hidden states on given texts",
    ),
    "distill_sequence": (
        Sequence,
        "ptx_distill.train:train",
        "imitate answers that a teacher generates once",
    ),
    "distill_onpolicy": (
        OnPolicy,
        "ptx_distill.onpolicy:train_on_policy",
        "the student answers, a teacher scores every token",
    ),
    "distill_gold": (
        Gold,
        "ptx_distill.onpolicy:train_across",
        "learn from a teacher with another tokenizer (TRL's experimental GOLD)",
    ),
}


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute every kind of distillation, as a training method and as a compressor."""
    return [
        Choice(group, name, kind, text, LIBRARIES, calls=function)
        for group in ("method", "compress")
        for name, (kind, function, text) in CHOICES.items()
    ]


@hookimpl
def ptx_validate(
    config: RunConfig, model: Path, data: DataSet | None, models: dict[str, Path]
) -> list[Problem]:
    """Problems that are found before the models are loaded."""
    if not isinstance(config.method, Taught):
        return []
    from ptx_distill.checks import problems

    return problems(config, model, data, models)
