"""The store: atomic or absent."""

from __future__ import annotations

import pytest

from ptx.store import Identity, Store

IDENTITY = Identity("steps", {"choice": "toy", "seed": 0})


def build(staging):
    (staging.payload / "a.txt").write_text("hello")
    return {"answer": 42}


def test_a_result_is_built_once_and_found_afterwards(tmp_path):
    store = Store(tmp_path)
    entry, shared = store.fetch(IDENTITY, build)
    again, shared_again = store.fetch(IDENTITY, lambda _: pytest.fail("built twice"))
    assert (shared, shared_again) == (False, True)
    assert again.meta == {"answer": 42}
    assert (entry.payload / "a.txt").read_text() == "hello"


def test_a_builder_that_fails_leaves_nothing(tmp_path):
    store = Store(tmp_path)

    def fail(staging):
        build(staging)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.fetch(IDENTITY, fail)
    assert store.find(IDENTITY) is None
    assert not list((tmp_path / "staging").iterdir())


def test_checkpoints_of_a_failed_builder_are_kept_for_the_next(tmp_path):
    store = Store(tmp_path)

    def fail(staging):
        (staging.checkpoints / "half").touch()
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        store.fetch(IDENTITY, fail)
    seen = []

    def resume(staging):
        seen.extend(path.name for path in staging.checkpoints.iterdir())
        return build(staging)

    store.fetch(IDENTITY, resume)
    assert seen == ["half"]
    assert not list((tmp_path / "staging").iterdir())


def test_a_flipped_byte_is_found_on_demand_and_a_changed_size_on_reading(tmp_path):
    store = Store(tmp_path)
    entry, _ = store.fetch(IDENTITY, build)
    (entry.payload / "a.txt").write_text("hallo")
    assert store.fault(entry.folder) == ""
    assert store.fault(entry.folder, digests=True) == "a.txt has changed since it was written"
    (entry.payload / "a.txt").write_text("hall")
    assert store.fault(entry.folder) == "a.txt has 4 bytes, 5 were written"
    assert store.find(IDENTITY) is None
    assert (tmp_path / "quarantine" / IDENTITY.key).exists()
