"""The student: a given model, or a new one made of some of its layers."""

from __future__ import annotations

from ptx import ModelRef, Run, StepError
from ptx.lm.dtypes import exact_dtype, keep_dtypes
from ptx.lm.load import load_model, load_tokenizer, save_model, weights_of
from ptx.lm.merge import merged
from ptx.lm.training.layers import evenly_spaced_layers, with_layers
from ptx_distill.facts import shape_of, vocabulary
from ptx_distill.settings import Taught


def student_of(run: Run, method: Taught, model: ModelRef) -> ModelRef:
    """The student as a model folder.

    A student of fewer layers is written beside the checkpoints, where a resumed training finds it again.

    Raises:
        StepError: the teacher has another vocabulary where tokens are compared, or the layers do not fit.
    """
    given, teacher = run.models.get("student", model), run.models["teacher"]
    kept = chosen_layers(
        method, shape_of(weights_of(given.path)).layers, own_teacher=given.digest == teacher.digest
    )
    if method.reads_tokens and vocabulary(given.path) != vocabulary(teacher.path):
        raise StepError(
            f"the teacher {teacher.path} has another vocabulary than the student {given.path}; try"
            " method=distill_sequence"
        )
    if kept is None:
        return given
    run.say(
        f"the student keeps layers {', '.join(map(str, kept))} of {shape_of(weights_of(given.path)).layers}"
    )
    folder = run.checkpoints / "student"
    if not folder.is_dir():
        network = load_model(given, exact_dtype(given.path), "cpu")
        network = merged(network)
        staged = folder.with_name("student.part")
        save_model(with_layers(network, kept), load_tokenizer(given.path), staged)
        keep_dtypes(staged, given.path)
        staged.rename(folder)
    return ModelRef.of(folder)


def chosen_layers(method: Taught, depth: int, *, own_teacher: bool) -> list[int] | None:
    """The numbers of the layers that the student keeps, out of ``depth``; None: all layers.

    Raises:
        StepError: there are too few layers, or the student would equal its teacher.
    """
    highest = (method.keep_layers or [(method.layers or 1) - 1])[-1]
    if highest >= depth:
        raise StepError(
            f"the student needs at least {highest + 1} layers, and the step's input model has {depth}; try"
            " fewer"
        )
    if method.keep_layers:
        return method.keep_layers
    # with quantisation-aware training, a rounded model has something to learn from its own float weights
    same = own_teacher and method.qat is None
    count = method.layers or (max(depth // 2, 1) if same else depth)
    if count == depth and same:
        raise StepError(
            f"the student is its own teacher and keeps all {depth} layers: there is nothing to learn; try"
            " method.layers=1"
        )
    return None if count == depth else evenly_spaced_layers(depth, count)
