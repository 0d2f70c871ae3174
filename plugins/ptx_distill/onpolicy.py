"""Distillation through TRL's own trainers.

DistillationTrainer lets the student answer and the teacher score every token; GOLD serves teachers with
another tokenizer.
"""

from __future__ import annotations

from ptx import DataSet, ModelRef, Run
from ptx.lm.load import load_model, load_tokenizer
from ptx.lm.merge import merged
from ptx.lm.training.rows import trl_rows
from ptx.lm.training.trainer import context_of, length_of, make_trainer, run_trainer
from ptx.lm.training.trl_args import trl_config
from ptx.lm.training.truncation import drop_long_prompts
from ptx_distill.settings import Gold, OnPolicy
from ptx_distill.student import student_of


def train_on_policy(run: Run, method: OnPolicy, model: ModelRef, data: DataSet) -> ModelRef:
    """Train the student on its own answers (TRL's DistillationTrainer) and return it."""
    student, teacher = student_of(run, method, model), run.models["teacher"]
    tokenizer = load_tokenizer(student.path)
    shape = data.require(method.needs, "method=distill_onpolicy")
    rows = trl_rows(shape, data.rows(shape), tokenizer)
    contexts = [context for context in (context_of(student.path), context_of(teacher.path)) if context]
    rows = drop_long_prompts(run, tokenizer, rows, min(contexts, default=None), method.max_completion_length)
    args = trl_config(
        run,
        method,
        "DistillationConfig",
        beta=method.beta,
        temperature=method.temperature,
        max_completion_length=method.max_completion_length,
    )
    extra = {"teacher_model": _load_merged(run, teacher)}
    trainer = make_trainer(run, "DistillationTrainer", method, student, tokenizer, rows, args, **extra)
    return run_trainer(run, trainer, method, student)


def train_across(run: Run, method: Gold, model: ModelRef, data: DataSet) -> ModelRef:
    """Train the student with a teacher that has another tokenizer (TRL's GOLD) and return it."""
    student, teacher = student_of(run, method, model), run.models["teacher"]
    tokenizer = load_tokenizer(student.path)
    rows = trl_rows("messages", data.rows("messages"), tokenizer)
    args = trl_config(
        run,
        method,
        "gold.GOLDConfig",
        max_length=min(
            length_of(method, student.path), context_of(teacher.path) or length_of(method, student.path)
        ),
        max_completion_length=method.max_completion_length,
        temperature=method.temperature,
        lmbda=method.on_policy,
        use_uld_loss=True,
        uld_crossentropy_weight=method.data_weight,
        teacher_tokenizer_name_or_path=str(teacher.path),
    )
    trainer = make_trainer(
        run,
        "gold.GOLDTrainer",
        method,
        student,
        tokenizer,
        rows,
        args,
        teacher_model=_load_merged(run, teacher),
    )
    return run_trainer(run, trainer, method, student)


def _load_merged(run: Run, teacher: ModelRef) -> object:
    network = load_model(teacher, "auto", run.device)
    return merged(network)
