"""A package that another environment wrote: opened here, held against the model, and described; the figures
go into the record and the package.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ptx.hooks.run import Run
from ptx.lm.serving.dense import open_original
from ptx.lm.serving.fidelity import check, compare, logits_of, own_text
from ptx.lm.serving.token_model import TokenModel
from ptx.models.inspection import inspect
from ptx.models.package import read_package, write_package
from ptx.records import ModelRef


def compare_and_describe(
    run: Run,
    runtime: str,
    model: ModelRef,
    made: ModelRef,
    opened: TokenModel,
    *,
    kind: str,
    most: float,
    instead: str,
    facts: dict[str, Any],
) -> ModelRef:
    """Compare, close, and describe the package.

    Args:
        run: the run under way.
        runtime: the choice that serves it.
        model: what it was made of.
        made: the folder that the other environment wrote.
        opened: the same, opened by the runtime.
        kind: what was made, as in ``int8``; ``fp32`` must be the model exactly.
        most: how many times the model's perplexity it may have.
        instead: what to try where it has more.
        facts: what ``package.json`` says besides.

    Raises:
        StepError: the package is not the model (the figures are in the text).
    """
    try:
        network, tokenizer = open_original(run, model)
        found = compare(logits_of(network), opened, own_text(network, tokenizer, run.seed))
    finally:
        opened.close()
    run.say(f"{kind}: {found.figures}")
    check(found, f"the {kind} package", most, instead, exact=kind == "fp32")
    facts = {
        **facts,
        "parameters": inspect(model.path).parameters,
        "fidelity": [asdict(found.kl), asdict(found.flips)],
    }
    write_package(made.path, runtime, model.digest, read_package(made.path) | facts)
    package = ModelRef.of(made.path, "package")
    run.log({**found.numbers(), "bytes": float(package.bytes), "bytes_before": float(model.bytes)}, 1, 1)
    return package
