"""Compare the packages that another environment has written with their model, and describe the kept one.

A script in another environment cannot compare, and tracing a model again for every try would take longest.
So it traces once and writes the ways there are, each into a folder below ``ways/``, the smallest first. They
are judged here; the first that is near its model is kept. The numbers go into the record of the run and into
the package.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ptx.hooks.run import Run
from ptx.lm.serving.reference import Reference
from ptx.lm.serving.token_model import TokenModel
from ptx.lm.serving.tries import Tried, Try, check_tried, smallest_that_passes
from ptx.models.inspection import inspect
from ptx.models.package import read_package, write_package
from ptx.records import ModelRef

WAYS = "ways"  # in package.json: their names; and the folder with one folder for each


@dataclass(frozen=True)
class Limit:
    """How much a package may differ from its model."""

    perplexity_ratio: float  # perplexity of the package over that of the model
    instead: str  # what the user can try if it is larger


@dataclass
class Comparison:
    """The model with its own texts, opened when the first package is, whose context is known then."""

    run: Run
    model: ModelRef
    open: Callable[[Path], TokenModel]
    reference: Reference | None = None

    def measure(self, name: str, folder: Path) -> Try:
        """Compare one package, and say how far it is."""
        lm = self.open(folder)
        try:
            if self.reference is None:
                self.reference = Reference.of(self.run, self.model, lm.max_length)
            found = self.reference.compare(lm)
        finally:
            lm.close()
        made = Try(name, folder, ModelRef.of(folder, "package").bytes, found)
        self.run.say(made.line())
        return made

    def check_long(self, kept: Try, what: str) -> dict[str, Any] | None:
        """Compare the package that is kept on the long text, and let it go on from there."""
        assert self.reference is not None  # a package was measured
        lm = self.open(kept.folder)
        try:
            return self.reference.check_long(lm, kept.fidelity, what)
        finally:
            lm.close()


def compare_and_describe(
    run: Run,
    runtime: str,
    model: ModelRef,
    made: ModelRef,
    opened: Callable[[Path], TokenModel],
    *,
    kind: str,
    limit: Limit,
    facts: dict[str, Any],
) -> ModelRef:
    """Compare the packages with ``model``, keep the smallest that passes, and write ``package.json``.

    Args:
        run: the current run.
        runtime: the choice that serves the package.
        model: the original model.
        made: the folder that the other environment wrote.
        opened: opens a folder with the runtime.
        kind: the number format, as ``int8``; ``fp32`` must equal the model.
        limit: the largest allowed perplexity, and what to try if it is exceeded.
        facts: further entries of ``package.json``.

    Raises:
        StepError: every package differs too much from the model; the message holds the numbers.
    """
    comparison, exact = Comparison(run, model, opened), kind == "fp32"
    ways = ways_of(made.path, kind)

    def rounds() -> Iterator[list[Try]]:
        for name, folder in ways.items():
            yield [comparison.measure(name, folder)]

    tried = smallest_that_passes(rounds(), limit.perplexity_ratio, len(ways))
    what = f"the {kind} package" + (f" ({tried.kept.name})" if len(tried.tries) > 1 else "")
    check_tried(tried, what, limit.perplexity_ratio, limit.instead, exact=exact)
    if len(tried.tries) > 1:
        run.say(f"taken: {tried.kept.name}, {tried.kept.bytes / 1e6:.1f} MB")
    found = tried.kept.fidelity
    facts = facts | {
        "long_text": comparison.check_long(tried.kept, what),
        "parameters": inspect(model.path).parameters,
        "fidelity": [asdict(found.kl), asdict(found.flips)],
        "way": tried.kept.name,
        "tries": tried.rows(),
    }
    described = {name: fact for name, fact in read_package(made.path).items() if name != WAYS}
    take(tried, made.path)
    write_package(made.path, runtime, model.digest, described | facts)
    package = ModelRef.of(made.path, "package")
    run.event("export", way=tried.kept.name, ways=tried.rows())
    run.log({**found.numbers(), "bytes": float(package.bytes), "bytes_before": float(model.bytes)}, 1, 1)
    return package


def ways_of(folder: Path, kind: str) -> dict[str, Path]:
    """The packages in the folder from elsewhere, by name; one that has none is a package itself."""
    names = read_package(folder).get(WAYS) or []
    return {name: folder / WAYS / str(n) for n, name in enumerate(names)} or {kind: folder}


def take(tried: Tried, folder: Path) -> None:
    """Move the package that is kept to ``folder``, and remove what is left of the others."""
    if tried.kept.folder != folder:
        for file in tried.kept.folder.iterdir():
            file.rename(folder / file.name)
        shutil.rmtree(folder / WAYS)
