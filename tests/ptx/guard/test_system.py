"""The cause that a message names is the cause."""

import errno
import os

import pytest

from ptx.guard.system import CAUSES, cause_of


@pytest.mark.parametrize("number", CAUSES, ids=errno.errorcode.get)
def test_every_error_of_the_system_has_its_own_cause_and_names_the_file(number):
    what, fix = cause_of(OSError(number, os.strerror(number), "/some/file"))
    assert what.endswith("(/some/file)")
    assert fix
    assert ("free some space" in fix) == (number == errno.ENOSPC)


def test_what_helps_fits_the_place_and_the_verb(monkeypatch, tmp_path):
    monkeypatch.setenv("PTX_CACHE", str(tmp_path / "cache"))
    readonly = lambda path: OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
    assert cause_of(readonly("out/store/x"))[1] == "make it writable or use out=/another/disk/ptx-out"
    assert cause_of(readonly("out/store/x"), "")[1] == "make it writable"
    assert cause_of(readonly(tmp_path / "cache" / "x"), "")[1].endswith(
        "use PTX_CACHE=/another/disk/ptx-cache"
    )


def test_a_full_disk_is_found_inside_the_error_of_a_library():
    assert cause_of(RuntimeError("IO error: No space left on device (os error 28)"))[0].startswith(
        "no space left"
    )
    assert cause_of(RuntimeError("something else")) is None


def test_a_working_folder_that_was_removed_is_named_as_the_cause(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert (
        cause_of(FileNotFoundError(errno.ENOENT, "No such file"))[0]
        == "the working folder is no longer there"
    )
    monkeypatch.chdir(tmp_path)
    assert "working folder" not in cause_of(FileNotFoundError(errno.ENOENT, "No such file"))[0]
