"""What a killed step resumes from is as it was written, or its damage is named."""

import pytest

from ptx.lm.seal import SEAL, damage, seal_folder


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "part").mkdir()
    (tmp_path / "weights").write_bytes(bytes(range(256)))
    (tmp_path / "part" / "state.json").write_text('{"step": 5}')
    seal_folder(tmp_path)
    return tmp_path


def test_an_untouched_folder_is_whole_and_later_files_do_not_matter(folder):
    (folder / "later").touch()
    assert damage(folder / SEAL) == ""


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "weights").unlink(), "weights is missing"),
        (lambda f: (f / "weights").write_bytes(b"short"), "weights has 5 bytes of 256"),
        (lambda f: (f / "weights").write_bytes(bytes(256)), "weights has other content than was written"),
        (
            lambda f: (f / "part" / "state.json").write_text('{"step": 6}'),
            "part/state.json has other content",
        ),
        (lambda f: (f / SEAL).write_text("[1, 2"), "seal.json cannot be read"),
        (lambda f: (f / SEAL).write_text("[1, 2]"), "seal.json cannot be read"),
        (lambda f: (f / SEAL).write_text('{"weights": 3}'), "seal.json cannot be read"),
    ],
)
def test_damage_is_named(folder, spoil, said):
    spoil(folder)
    assert damage(folder / SEAL).startswith(said)


def test_a_seal_that_was_emptied_vouches_for_nothing(tmp_path):
    (tmp_path / "weights").write_bytes(b"whole")
    seal_folder(tmp_path)
    assert damage(tmp_path / SEAL) == ""
    (tmp_path / SEAL).write_text("{}")
    assert damage(tmp_path / SEAL) == "seal.json names no file"
