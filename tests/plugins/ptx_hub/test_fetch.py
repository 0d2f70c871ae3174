"""Downloads from the hub; the hub's libraries are real, its network is missing or a fake."""

import json

import datasets
import huggingface_hub
import pytest
from datasets import Dataset
from huggingface_hub import constants

from ptx import ConfigError
from ptx.data import open_data
from ptx.models.inspection import problems
from ptx_hub import HubData, HubModel, ptx_resolve
from tests.conftest import TOKENIZER

COMMIT = "a" * 40


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """An empty cache of the hub, and no network."""
    cache = tmp_path / "huggingface"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return cache


def snapshot(cache, name, files):
    """What a download leaves in the hub's cache."""
    folder = cache / f"models--{name.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    place = folder / "snapshots" / COMMIT
    for file, content in files.items():
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).write_bytes(content)
    return place


def refused(value, cache):
    with pytest.raises(ConfigError) as caught:
        ptx_resolve(value, cache)
    return str(caught.value)


TENSORS = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
WHOLE = {
    "config.json": b"{}",
    "tokenizer.json": TOKENIZER.encode(),
    "model.safetensors": len(TENSORS).to_bytes(8, "little") + TENSORS + bytes(4),
}


def test_offline_a_model_comes_from_the_hubs_cache_with_safe_files_only(hub_cache, tmp_path):
    other_files = {
        "pytorch_model.bin": b"pickle",
        "modeling.py": b"code",
        "consolidated.safetensors": b"twice",
        "onnx/model.json": b"{}",
    }
    snapshot(hub_cache, "org/name", {**WHOLE, **other_files})
    folder = ptx_resolve(HubModel(id="org/name"), tmp_path / "cache")
    assert sorted(file.name for file in folder.rglob("*")) == sorted(WHOLE)
    assert problems(folder) == []
    assert ptx_resolve(HubModel(id="org/name"), tmp_path / "cache") == folder
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]  # no staging left behind


def test_a_model_stays_when_the_hubs_cache_is_emptied(hub_cache, tmp_path):
    place = snapshot(hub_cache, "org/name", WHOLE)
    folder = ptx_resolve(HubModel(id="org/name"), tmp_path / "cache")
    (place / "model.safetensors").unlink()
    assert (folder / "model.safetensors").read_bytes() == WHOLE["model.safetensors"]


def test_offline_and_not_cached_says_what_was_tried_and_what_to_type(hub_cache, tmp_path):
    message = refused(HubModel(id="org/name"), tmp_path / "cache")
    assert "hub model org/name could not be loaded from its local cache (HF_HUB_OFFLINE is set)" in message
    assert "type model=./FOLDER" in message
    assert not (tmp_path / "cache").exists()


def test_a_repository_of_pickles_is_refused(hub_cache, tmp_path):
    snapshot(hub_cache, "org/name", {"config.json": b"{}", "pytorch_model.bin": b"pickle"})
    assert "has no safetensors" in refused(HubModel(id="org/name"), tmp_path / "cache")


def test_a_word_that_is_no_hub_id_is_refused(hub_cache, tmp_path):
    assert "is not a hub id" in refused(HubModel(id="a/b/c"), tmp_path / "cache")


def failing(kind):
    import httpx

    def download(*args, **options):
        raise kind(
            "said no", response=httpx.Response(404, request=httpx.Request("GET", "http://hub.invalid"))
        )

    return download


@pytest.mark.parametrize(
    ("kind", "said", "fix"),
    [
        ("GatedRepoError", "hub model org/name is gated", "hf auth login"),
        ("RevisionNotFoundError", "has no revision v9", "model.revision=main"),
        (
            "RepositoryNotFoundError",
            "the hub has no model org/name at revision v9, or it is private",
            "check the spelling",
        ),
    ],
)
def test_what_the_hub_refuses_is_reported_with_what_to_type(tmp_path, monkeypatch, kind, said, fix):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", failing(getattr(huggingface_hub.errors, kind)))
    message = refused(HubModel(id="org/name", revision="v9"), tmp_path)
    assert said in message
    assert fix in message


def test_online_a_model_is_asked_for_by_revision_without_pickles_and_code(tmp_path, monkeypatch):
    asked = {}

    def download(name, **options):
        asked.update(options, name=name)
        return str(snapshot(tmp_path / "hub", name, WHOLE))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    folder = ptx_resolve(HubModel(id="org/name", revision="main"), tmp_path / "cache")
    assert (folder.name, asked["revision"], asked["local_files_only"]) == (
        f"org--name@{COMMIT}",
        "main",
        False,
    )
    assert not [pattern for pattern in asked["allow_patterns"] if pattern.endswith((".bin", ".py", ".pt"))]


@pytest.fixture
def data_hub(monkeypatch):
    """A hub with one data set; yields the calls that were made to it."""
    calls = []

    def load(path, **options):
        calls.append((path, options))
        if options["split"] == "dev":
            raise ValueError("Unknown split \"dev\". Should be one of ['train'].\nmore")
        return Dataset.from_list([{"question": "2+2?", "answer": "4"}, {"question": "1+1?", "answer": "2"}])

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(
        huggingface_hub,
        "dataset_info",
        lambda name, revision=None: huggingface_hub.DatasetInfo(id=name, sha=COMMIT),
    )
    return calls


def test_a_data_set_becomes_one_parquet_file_named_by_its_commit_and_is_fetched_once(data_hub, tmp_path):
    file = ptx_resolve(HubData(id="org/sums", subset="main"), tmp_path)
    assert (file.name, file.parent.name) == ("rows.parquet", COMMIT)
    assert open_data("org/sums", file).rows("prompts")[0] == {"prompt": "2+2?", "answer": "4"}
    assert ptx_resolve(HubData(id="org/sums", subset="main"), tmp_path) == file
    assert data_hub == [("org/sums", {"name": "main", "split": "train", "revision": COMMIT})]


def test_offline_the_last_fetched_data_set_is_used(data_hub, tmp_path, monkeypatch):
    file = ptx_resolve(HubData(id="org/sums"), tmp_path)

    def unreachable(name, revision=None):
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "dataset_info", unreachable)
    assert ptx_resolve(HubData(id="org/sums"), tmp_path) == file
    assert ptx_resolve(HubData(id="org/other"), tmp_path).parent.name == "offline"


def test_an_unknown_split_is_named_with_those_there_are(data_hub, tmp_path):
    message = refused(HubData(id="org/sums", split="dev"), tmp_path)
    assert message.startswith("hub data org/sums: Unknown split \"dev\". Should be one of ['train'].; ")
    assert not list(tmp_path.rglob("rows.parquet"))


def test_offline_and_never_fetched_data_says_what_to_type(hub_cache, tmp_path):
    message = refused(HubData(id="org/never"), tmp_path)
    assert "org/never" in message
    assert "type data=./FILE.jsonl" in message
