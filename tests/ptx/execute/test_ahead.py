import os

import pytest

from ptx.execute.ahead import read_ahead

SIZE = 8_000_000


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(os.urandom(SIZE))
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="no way to look at the page cache")
def test_the_weights_are_in_memory_afterwards(folder):
    path = folder / "model.safetensors"
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        read_ahead(folder).join()
        for place in range(0, SIZE - 4096, SIZE // 16):
            # fails with EAGAIN where the page would have to be read from disk
            assert os.preadv(file.fileno(), [bytearray(4096)], place, os.RWF_NOWAIT) == 4096


def test_what_would_fill_the_memory_is_not_read(folder):
    assert read_ahead(folder, free=SIZE) is None
    read_ahead(folder, free=3 * SIZE).join()


def test_a_folder_without_weights_and_a_file_that_cannot_be_read_are_no_error(tmp_path):
    assert read_ahead(tmp_path / "made-by-a-step") is None
    (tmp_path / "model.safetensors").write_bytes(b"x")
    (tmp_path / "model.safetensors").chmod(0)
    read_ahead(tmp_path).join()
