"""Downloads from the hub, in folders that hold the files that ptx uses and nothing else.

A snapshot in the hub's cache may also hold files that other programs downloaded (pickles, other formats). The
size and digest of a model are those of its folder, so the files that ptx uses are linked into a separate
folder, named by the commit.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ptx import ConfigError, Problem

if TYPE_CHECKING:
    from ptx_hub import HubData, HubModel

#: weights, configuration, tokenizers of every kind, chat templates
WANTED = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja", "*.model", "*.txt"]
#: subfolders hold other formats; consolidated.* is a second copy of the weights
UNWANTED = ["*/*", "consolidated*", "*.bin.index.json", "training_args.json"]


def fetch_model(model: HubModel, folder: Path) -> Path:
    """A folder with the model's safetensors, configuration and tokenizer.

    Raises:
        ConfigError: the model cannot be downloaded, or has no safetensors; says what to type.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import snapshot_download

    with _explained("model", model.id, model.revision):
        snapshot = _online_then_cached(
            lambda *, local: snapshot_download(
                model.id,
                revision=model.revision,
                allow_patterns=WANTED,
                ignore_patterns=UNWANTED,
                local_files_only=local,
            )
        )
    return _clean_copy(model.id, Path(snapshot), folder / f"{_slug(model.id)}@{Path(snapshot).name}")


def _online_then_cached(download: Callable[..., str]) -> str:
    """Download; without a network, use the hub's cache if it holds everything."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return download(local=False)
    except (OSError, HfHubHTTPError) as error:
        try:
            return download(local=True)
        except LocalEntryNotFoundError:
            raise error from None


def _clean_copy(name: str, snapshot: Path, target: Path) -> Path:
    from huggingface_hub.utils import filter_repo_objects

    present = [file.name for file in snapshot.iterdir()]
    files = list(filter_repo_objects(present, allow_patterns=WANTED, ignore_patterns=UNWANTED))
    if not any(file.endswith(".safetensors") for file in files):
        fix = "use a repository that has them, or convert the weights yourself and type model=./FOLDER"
        raise ConfigError(
            Problem(
                f"hub model {name} has no safetensors; ptx loads no pickled weights, they can run code", fix
            )
        )
    if target.is_dir() and all((target / file).exists() for file in files):
        return target
    with _staged(target) as staging:
        for file in files:
            _link((snapshot / file).resolve(), staging / file)
    return target


def _link(source: Path, target: Path) -> None:
    """Link hard, so that the file survives a cleared hub cache; symbolically across file systems."""
    try:
        os.link(source, target)
    except OSError:
        target.symlink_to(source)


def fetch_data(data: HubData, folder: Path) -> Path:
    """One parquet file with the rows of the split.

    Raises:
        ConfigError: the data set cannot be downloaded; says what to type.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from datasets import load_dataset

    place = folder / _slug(f"{data.id} {data.subset or ''} {data.split}")
    with _explained("data", data.id, data.revision):
        commit = _commit(data)
    earlier = (
        [place / commit]
        if commit
        else sorted(place.glob("[!.]*"), key=lambda path: path.stat().st_mtime, reverse=True)
    )
    for found in earlier:
        if (found / "rows.parquet").is_file():
            return found / "rows.parquet"
    with _explained("data", data.id, data.revision):
        rows = load_dataset(data.id, name=data.subset, split=data.split, revision=commit or data.revision)
    target = place / (commit or "offline")
    with _staged(target) as staging:
        rows.to_parquet(str(staging / "rows.parquet"))
    return target / "rows.parquet"


def _commit(data: HubData) -> str | None:
    """The commit of the revision at this moment; None when the hub cannot be reached."""
    import httpx
    from huggingface_hub import dataset_info
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return str(dataset_info(data.id, revision=data.revision).sha)
    except (OSError, httpx.HTTPError, HfHubHTTPError):
        return None


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """A folder to write into; it is renamed to ``target`` when the block ends without an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=target.parent))
    try:
        yield staging
        if target.exists():
            shutil.rmtree(target)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _explained(group: str, name: str, revision: str | None) -> Iterator[None]:
    """Turn errors of the hub's libraries into a ConfigError that says what to type."""
    import httpx
    from datasets.exceptions import DatasetsError
    from huggingface_hub import errors

    try:
        yield
    except (
        errors.HfHubHTTPError,
        errors.HFValidationError,
        DatasetsError,
        OSError,
        httpx.HTTPError,
        ValueError,
    ) as error:
        raise ConfigError(_problem(error, group, name, revision)) from error


def _problem(error: Exception, group: str, name: str, revision: str | None) -> Problem:
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub import errors, is_offline_mode

    local = f"{group}=./{'FOLDER' if group == 'model' else 'FILE.jsonl'}"
    at = f"{name} at revision {revision}" if revision else name
    if isinstance(error, errors.GatedRepoError):
        return Problem(
            f"hub {group} {name} is gated",
            f"accept its licence on its page, then type: hf auth login; or type {local}",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return Problem(
            f"hub {group} {name} has no revision {revision}", f"type {group}.revision=main, or leave it out"
        )
    missing = isinstance(error, errors.RepositoryNotFoundError | DatasetNotFoundError)
    if missing and not is_offline_mode():
        return Problem(
            f"the hub has no {group} {at}, or it is private",
            f"check the spelling; type: hf auth login; or type {local}",
        )
    if isinstance(error, errors.HFValidationError):
        return Problem(f"{name!r} is not a hub id: {_first_line(error)}", f"write ORG/NAME, or type {local}")
    if isinstance(error, ValueError) and not isinstance(error, OSError):  # an unknown subset or split
        return Problem(
            f"hub {group} {at}: {_first_line(error)}", f"type {group}.subset=NAME or {group}.split=NAME"
        )
    tried = (
        "its local cache (HF_HUB_OFFLINE is set)" if is_offline_mode() else "the network and its local cache"
    )
    return Problem(
        f"hub {group} {at} could not be loaded from {tried}: {_first_line(error)}",
        f"go online once, or type {local}",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "--", name).strip("-")
