"""Models served beside the run's own: exported where the runtime takes packages, and kept in the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ptx import LanguageModel, ModelRef, Run, identity_of, machine
from ptx.files import digest_of, read_json, write_json
from ptx.lm.load import base_of, is_adapter


def part(run: Run, chosen: Any) -> dict[str, Any] | None:
    """A choice as plain data: its settings, its plugin and the versions of its libraries."""
    if chosen is None:
        return None
    choice, owner = run.host.choice_of(chosen), run.host.owner_of(chosen)
    plugin = f"{owner.name} {owner.version} {choice.version}"
    return {
        "choice": choice.name,
        "plugin": plugin,
        "config": identity_of(chosen),
        "libraries": machine.versions(choice.libraries),
    }


def weights(model: ModelRef) -> str:
    """The digest of a model; for an adapter, a digest of the adapter's and its base's."""
    digest = model.digest or ModelRef.of(model.path).digest
    return (
        digest_of([digest, weights(ModelRef.of(base_of(model.path)))]) if is_adapter(model.path) else digest
    )


def exported(run: Run, model: ModelRef) -> ModelRef:
    """Export a model folder to a package of the run's runtime; kept in the store."""

    def build(folder: Path) -> None:
        made: ModelRef = run.host.first(
            "ptx_export", run=run.at(folder=folder), runtime=run.config.runtime, model=model
        )
        digest = made.digest or ModelRef.of(made.path).digest
        write_json(folder / "package.json", {"path": str(made.path.relative_to(folder)), "digest": digest})

    ingredients = {"model": weights(model), "runtime": part(run, run.config.runtime), "device": run.device}
    folder = run.product("package", ingredients, build)
    found = read_json(folder / "package.json")
    return ModelRef(folder / found["path"], found["digest"], "package")


@contextmanager
def opened(run: Run, model: ModelRef) -> Iterator[LanguageModel]:
    """A model on the run's runtime, closed afterwards; exported before where the runtime needs that."""
    served = exported(run, model) if run.config.runtime.exports and model.kind != "package" else model
    lm = run.load(served)
    try:
        yield lm
    finally:
        lm.close()
