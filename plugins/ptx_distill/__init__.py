"""A student learns from a teacher (Hinton et al. 2015): the best small models are made so, and what pruning
broke heals faster.

``compress=[distill]`` makes a student of half the layers and teaches it; after a pruning step the pruned
model learns from what it was before (Minitron, Muralidharan et al. 2024). It trains, so it is a training
method too, with everything that those have: checkpoints, adapters, TRL's arguments.

* ``distill``: the teacher's distribution over the next token, its hidden states, and the data, each with a
  weight, on given texts
* ``distill_sequence``: answers that the teacher writes once (Kim & Rush 2016)
* ``distill_onpolicy``: the student answers, the teacher judges every token (Agarwal et al. 2024), TRL's
  DistillationTrainer
* ``distill_gold``: a teacher with another tokenizer, TRL's GOLD
"""

from __future__ import annotations

from pathlib import Path

from ptx import Choice, DataSet, Method, ModelRef, Problem, Run, RunConfig, hookimpl
from ptx_distill.settings import Distill, Gold, OnPolicy, Sequence, Taught

__all__ = ["Distill", "Gold", "OnPolicy", "Sequence"]

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")
CHOICES = {
    "distill": (Distill, "learn a teacher's distribution and hidden states on given texts"),
    "distill_sequence": (Sequence, "imitate answers that a teacher gives once"),
    "distill_onpolicy": (OnPolicy, "the student answers, a teacher judges every token"),
    "distill_gold": (Gold, "learn from a teacher with another tokenizer (TRL's experimental GOLD)"),
}


@hookimpl
def ptx_choices() -> list[Choice]:
    """Every way to learn, as a training method and as a compressor."""
    return [
        Choice(group, name, kind, text, LIBRARIES)
        for group in ("method", "compress")
        for name, (kind, text) in CHOICES.items()
    ]


@hookimpl
def ptx_validate(
    config: RunConfig, model: Path, data: DataSet | None, models: dict[str, Path]
) -> list[Problem]:
    """What is wrong before a weight is loaded."""
    if not isinstance(config.method, Taught):
        return []
    from ptx_distill.checks import problems

    return problems(config, model, data, models)


@hookimpl
def ptx_train(run: Run, method: Method, model: ModelRef, data: DataSet) -> ModelRef | None:
    """Teach."""
    if isinstance(method, Distill):
        from ptx_distill.train import train

        return train(run, method, model, data)
    if isinstance(method, OnPolicy | Gold):
        from ptx_distill import onpolicy

        return (
            onpolicy.train_on_policy(run, method, model, data)
            if isinstance(method, OnPolicy)
            else onpolicy.train_across(run, method, model, data)
        )
    return None
