# ruff: noqa: RUF001 (letters of other languages are what these tests are about)
"""Files in every encoding and compression that data comes in."""

import bz2
import gzip
import lzma
import subprocess

import pytest

from ptx.data import open_data

ROWS = 'prompt,completion\n"Wie heißt du?","Ich heiße Jürgen, schön."\n'
ASKED = "Wie heißt du?"


def read(path):
    data = open_data("x", path)
    return data.rows("completions")[0]["prompt"], data.describe("completions")


@pytest.mark.parametrize(
    ("codec", "mark", "said"),
    [
        ("utf-8", b"", ""),
        ("utf-8", b"\xef\xbb\xbf", ""),
        ("utf-16-le", b"\xff\xfe", "UTF-16"),
        ("utf-16-be", b"\xfe\xff", "UTF-16"),
        ("utf-16-le", b"", "UTF-16 without a byte-order mark"),
        ("utf-16-be", b"", "UTF-16 without a byte-order mark"),
        ("utf-32-le", b"\xff\xfe\x00\x00", "UTF-32"),
        ("cp1252", b"", "WINDOWS-1252, told by its letters: heißt, heiße, Jürgen, schön"),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_the_encoding_is_found_and_said(tmp_path, codec, mark, said, ends):
    path = tmp_path / "my.csv"
    path.write_bytes(mark + ROWS.replace("\n", ends).encode(codec))
    asked, described = read(path)
    assert asked == ASKED
    assert said in described
    assert bool(said) == ("UTF-16" in described or "UTF-32" in described or "WINDOWS" in described)


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst"])
def test_compressed_files_are_read_whatever_they_hold(tmp_path, ending):
    import pyarrow as pa

    content = ROWS.encode("cp1252")
    packed = {
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "zst": lambda given: pa.compress(given, codec="zstd", asbytes=True),
    }[ending](content)
    path = tmp_path / f"my.csv.{ending}"
    path.write_bytes(packed)
    if ending == "zst" and not packed.startswith(b"\x28\xb5\x2f\xfd"):
        pytest.skip("pyarrow writes another frame")
    assert read(path)[0] == ASKED
    family = tmp_path / "family"
    family.mkdir()
    (family / f"completions.csv.{ending}").write_bytes(packed)
    assert read(family)[0] == ASKED


def test_a_compressed_file_that_was_cut_is_refused(tmp_path, refused):
    path = tmp_path / "my.csv.gz"
    path.write_bytes(gzip.compress(ROWS.encode() * 100)[:-20])
    assert "cannot be read: it ends before its content does" in refused(lambda: open_data("x", path))


def test_the_first_bytes_decide_and_not_the_name(tmp_path, refused):
    path = tmp_path / "my.csv.gz"
    path.write_bytes(ROWS.encode())
    assert read(path)[0] == ASKED
    path = tmp_path / "my.csv"
    path.write_bytes(gzip.compress(ROWS.encode()))
    assert read(path)[0] == ASKED
    path.write_bytes(b"PAR1" + bytes(range(256)))
    message = refused(lambda: open_data("x", path))
    assert f"it is Parquet and no csv; name it so: mv {path} {path.with_suffix('.parquet')}" in message
    path.write_bytes(b"PK\x03\x04" + bytes(99))
    assert "it is a ZIP archive or a spreadsheet; unpack it" in refused(lambda: open_data("x", path))
    path.write_bytes(b"\x89PNG\r\n" + bytes(range(256)) * 9 + bytes(500))
    assert "it holds binary data and no text" in refused(lambda: open_data("x", path))


def test_other_letters_far_behind_are_read_too(tmp_path):
    path = tmp_path / "my.jsonl"
    plain = '{"text": "all of this line is ASCII and nothing else, for a long while"}\n' * 5000
    path.write_bytes(plain.encode() + '{"text": "naïve café"}\n'.encode("cp1252"))
    assert open_data("x", path).rows("text")[-1] == {"text": "naïve café"}


def test_a_line_in_another_encoding_than_the_others_is_named_and_can_be_cleaned(tmp_path, refused):
    path = tmp_path / "my file.jsonl"
    lines = [f'{{"text": "Größe {number}"}}\n'.encode() for number in range(5)]
    path.write_bytes(b"".join(lines) + '{"text": "schön"}\n'.encode("cp1252"))
    message = refused(lambda: open_data("x", path))
    assert "line 6: not UTF-8, as 5 other lines are" in message
    assert "byte 0xf6 after" in message
    command = message[message.index("iconv ") :]
    subprocess.run(["bash", "-c", command], check=False, capture_output=True)
    assert open_data("x", tmp_path / "my file-clean.jsonl").rows("text")[-1] == {"text": "schn"}


def test_an_encoding_that_is_not_clear_is_a_question_whose_commands_work(tmp_path, refused):
    path = tmp_path / "my.csv"
    text = "prompt,completion\n" + "Fransa'nın başkenti?,Şehir güzel\n" * 20
    path.write_bytes(text.encode("cp1254"))
    message = refused(lambda: open_data("x", path))
    assert "as WINDOWS-1254: Fransa'nın, başkenti" in message
    commands = message[message.index("convert it: ") + len("convert it: ") :].split(" or ")
    wanted = next(command for command in commands if "-f WINDOWS-1254" in command)
    subprocess.run(["bash", "-c", wanted], check=True)
    assert read(tmp_path / "my-utf8.csv")[0] == "Fransa'nın başkenti?"


def test_bytes_in_no_known_encoding_are_refused_with_their_line(tmp_path, refused):
    path = tmp_path / "my.jsonl"
    path.write_bytes(b'{"text": "a"}\n{"text": "hei\xe1t m\x81de"}\n')
    assert "line 2: neither UTF-8 nor an encoding that is known for certain, got byte 0xe1" in refused(
        lambda: open_data("x", path)
    )
