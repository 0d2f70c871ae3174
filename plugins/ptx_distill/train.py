"""Distillation on given texts, or on answers that the teacher generates first."""

from __future__ import annotations

from functools import partial
from typing import Any

from ptx import DataSet, ModelRef, Run
from ptx.lm.load import load_tokenizer
from ptx.lm.training.inspection import check_rows
from ptx.lm.training.tokens import token_rows
from ptx.lm.training.trainer import context_of, length_of, make_trainer, run_trainer
from ptx.lm.training.trl_args import trl_config
from ptx_distill.settings import Distill, Sequence
from ptx_distill.student import student_of


def train(run: Run, method: Distill, model: ModelRef, data: DataSet) -> ModelRef:
    """Train the student and return it."""
    student, teacher = student_of(run, method, model), run.models["teacher"]
    tokenizer = load_tokenizer(student.path)
    shape, found = training_rows(run, method, teacher, data)
    rows = token_rows(shape, found, tokenizer, answers_only=method.assistant_only)
    length = length_of(method, student.path)
    if method.reads_tokens:
        length = min(length, context_of(teacher.path) or length)
    args = trl_config(
        run,
        method,
        "SFTConfig",
        max_length=length,
        assistant_only_loss=False,  # the rows come with their labels
        completion_only_loss=False,
    )
    from ptx_distill.trainer import DistillTrainer  # TRL is imported after trl_config has quieted it

    kind = partial(DistillTrainer, run=run, method=method, teacher=teacher)
    trainer = make_trainer(run, kind, method, student, tokenizer, rows, args)
    check_rows(run, trainer, rows)
    return run_trainer(run, trainer, method, student)


def training_rows(
    run: Run, method: Distill, teacher: ModelRef, data: DataSet
) -> tuple[str, list[dict[str, Any]]]:
    """The shape of the rows to train on, and the rows."""
    shape = data.require(method.needs, "method=distill")
    if not isinstance(method, Sequence):
        return shape, data.rows(shape)
    from ptx_distill.answers import answer_prompts

    return "completions", answer_prompts(run, method, teacher, data.rows(shape))
