"""Post-conditions of every compressor, built in or from another plugin: a wrapper around ``ptx_compress``.

Whatever plugin answers, its folder is read back with plain ``from_pretrained``. The model must be finite,
complete, of the same dtype, equal to the model in memory when it was saved, different from its input, and as
its config promises (:class:`ptx.Promise`). Its predictions are compared with those of its input (``effect``).
A condition that does not hold fails the step with the figures; all figures are in the step's record.
``PTX_DISABLE=checks`` disables these checks.
"""

from __future__ import annotations

from collections.abc import Generator

from ptx import Compressor, DataSet, ModelRef, Problem, Run, RunConfig, hookimpl
from ptx.machine import release_memory


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """Report a value of ``collapse`` that is none."""
    return [
        Problem(
            f"compress.{name}.collapse must be refuse or warn, got {step.collapse!r}",
            f"try compress.{name}.collapse=warn",
        )
        for name, step in config.compress.items()
        if isinstance(step, Compressor) and step.collapse not in ("refuse", "warn")
    ]


@hookimpl(wrapper=True)
def ptx_compress(
    run: Run, compressor: Compressor, model: ModelRef, data: DataSet | None
) -> Generator[None, ModelRef | None, ModelRef | None]:
    """Record what is saved, then read it back and check it."""
    from ptx.lm.load import quiet

    quiet()
    from ptx_checks.memory import watched
    from ptx_checks.verify import verify

    with watched(ignoring=run.checkpoints) as saved:
        made = yield
    if made is not None:
        release_memory()  # the compressed model's memory
        verify(run, compressor, model, made, saved.get(made.path.resolve()), data)
    return made
