"""Who learns: a model as it is, or one made of some of its layers."""

from __future__ import annotations

from ptx import ModelRef, Run, StepError
from ptx.lm.load import load_model, load_tokenizer, save_model, weights_of
from ptx.lm.training.layers import evenly_spaced_layers, with_layers
from ptx_distill.facts import shape_of, vocabulary
from ptx_distill.settings import Taught


def student_of(run: Run, method: Taught, model: ModelRef) -> ModelRef:
    """The folder of the student. One of fewer layers is written beside the checkpoints, where a resumed
    training finds it again.
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
        f"the student has layers {', '.join(map(str, kept))} of the {shape_of(weights_of(given.path)).layers}"
        " of what it is made of"
    )
    folder = run.checkpoints / "student"
    if not folder.is_dir():
        network = load_model(given, _stored(given), "cpu")
        network = network.merge_and_unload() if hasattr(network, "merge_and_unload") else network
        staged = folder.with_name("student.part")
        save_model(with_layers(network, kept), load_tokenizer(given.path), staged)
        staged.rename(folder)
    return ModelRef.of(folder)


def chosen_layers(method: Taught, depth: int, *, own_teacher: bool) -> list[int] | None:
    """Which of the ``depth`` layers the student has; None: all."""
    highest = (method.keep_layers or [(method.layers or 1) - 1])[-1]
    if highest >= depth:
        raise StepError(
            f"the student is to have {highest + 1} layers, and the model that this step is given has {depth};"
            " try fewer"
        )
    if method.keep_layers:
        return method.keep_layers
    same = (
        own_teacher and method.qat is None
    )  # seen through something else, it has its own whole self to learn from
    count = method.layers or (max(depth // 2, 1) if same else depth)
    if count == depth and same:
        raise StepError(
            f"the student is its own teacher and keeps all {depth} layers: there is nothing to learn; try"
            " method.layers=1"
        )
    return None if count == depth else evenly_spaced_layers(depth, count)


def _stored(model: ModelRef) -> str:
    """The number format that the weights lie in."""
    from ptx.models.inspection import inspect

    name = inspect(weights_of(model.path)).dtype
    return name if name in ("float32", "bfloat16", "float16") else "float32"
