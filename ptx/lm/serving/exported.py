"""Compare a package that another environment has written with its model, and describe it.

The numbers go into the record of the run and into the package.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ptx.hooks.run import Run
from ptx.lm.serving.fidelity import check
from ptx.lm.serving.reference import Reference
from ptx.lm.serving.token_model import TokenModel
from ptx.models.inspection import inspect
from ptx.models.package import read_package, write_package
from ptx.records import ModelRef


@dataclass(frozen=True)
class Limit:
    """How much a package may differ from its model."""

    perplexity_ratio: float  # perplexity of the package over that of the model
    instead: str  # what the user can try if it is larger


def compare_and_describe(
    run: Run,
    runtime: str,
    model: ModelRef,
    made: ModelRef,
    opened: TokenModel,
    *,
    kind: str,
    limit: Limit,
    facts: dict[str, Any],
) -> ModelRef:
    """Compare the package with ``model``, close it, and write ``package.json``.

    Args:
        run: the current run.
        runtime: the choice that serves the package.
        model: the original model.
        made: the folder that the other environment wrote.
        opened: the same folder opened by the runtime.
        kind: the number format, as ``int8``; ``fp32`` must equal the model.
        limit: the largest allowed perplexity, and what to try if it is exceeded.
        facts: further entries of ``package.json``.

    Raises:
        StepError: the package differs too much from the model; the message holds the numbers.
    """
    what = f"the {kind} package"
    try:
        reference = Reference.of(run, model, opened.max_length)
        found = reference.compare(opened)
        run.say(f"{kind}: {found.figures}")
        check(found, what, limit.perplexity_ratio, limit.instead, exact=kind == "fp32")
        long = reference.check_long(opened, found, what)
    finally:
        opened.close()
    facts = {
        **facts,
        "long_text": long,
        "parameters": inspect(model.path).parameters,
        "fidelity": [asdict(found.kl), asdict(found.flips)],
    }
    write_package(made.path, runtime, model.digest, read_package(made.path) | facts)
    package = ModelRef.of(made.path, "package")
    run.log({**found.numbers(), "bytes": float(package.bytes), "bytes_before": float(model.bytes)}, 1, 1)
    return package
