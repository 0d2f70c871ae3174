"""Opens the text of a file, whatever it is compressed with and whichever encoding it has.

A file is UTF-8, or says otherwise by its first bytes (a byte-order mark, the zero bytes of UTF-16). Where
that does not hold, its letters decide (:mod:`ptx.data.findings.letters`), and the encoding is said in the
description of the data. Two that give different texts and are about as good are a question to the user, with
the command that converts the file: a wrong guess would train on other letters than the author's.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple, cast

from ptx.data.findings.letters import CANDIDATES, encodings_of, words_of
from ptx.data.records import ReadError

BOMS = (  # the longer ones first: UTF-32's begins like UTF-16's
    (b"\xff\xfe\x00\x00", "utf-32", "UTF-32"),
    (b"\x00\x00\xfe\xff", "utf-32", "UTF-32"),
    (b"\xff\xfe", "utf-16", "UTF-16"),
    (b"\xfe\xff", "utf-16", "UTF-16"),
    (b"\xef\xbb\xbf", "utf-8-sig", ""),
)
SAMPLE = 20_000  # bytes of lines with other than ASCII letters that the encodings are compared on


class Encoding(NamedTuple):
    """Python's name of an encoding, and how it is said to the user (empty for UTF-8)."""

    codec: str
    note: str = ""


UTF8 = Encoding("utf-8")


def _zstd(file: Path) -> IO[bytes]:
    import pyarrow as pa

    return io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(file)), "zstd"))


#: ending -> how a file that is compressed so is opened
COMPRESSED: dict[str, Callable[[Path], IO[bytes]]] = {
    ".gz": cast("Callable[[Path], IO[bytes]]", gzip.open),
    ".bz2": cast("Callable[[Path], IO[bytes]]", bz2.open),
    ".xz": cast("Callable[[Path], IO[bytes]]", lzma.open),
    ".zst": _zstd,
}


#: first bytes -> the ending of the compression, or of the format that is no text
PACKED = ((b"\x1f\x8b", ".gz"), (b"BZh", ".bz2"), (b"\xfd7zXZ\x00", ".xz"), (b"\x28\xb5\x2f\xfd", ".zst"))
FORMATS = ((b"PAR1", ".parquet"), (b"ARROW1", ".arrow"))


def open_bytes(file: Path) -> IO[bytes]:
    """The content of a file, decompressed if it begins so, whatever its name says."""
    with file.open("rb") as stream:
        head = stream.read(6)
    packed = next((ending for mark, ending in PACKED if head.startswith(mark)), "")
    return COMPRESSED[packed](file) if packed else file.open("rb")


def open_text(file: Path, encoding: Encoding) -> io.TextIOWrapper:
    """The text of a file; line ends are left as they are."""
    return io.TextIOWrapper(open_bytes(file), encoding=encoding.codec, newline="")


def first_guess(file: Path) -> Encoding:
    """The encoding that the first bytes show: UTF-8, unless they say otherwise.

    Raises:
        ReadError: they show that it is no text.
    """
    with open_bytes(file) as stream:
        head = stream.read(4096)
    _refuse_other_formats(file, head)
    for mark, codec, note in BOMS:
        if head.startswith(mark):
            return Encoding(codec, note)
    half = len(head) // 2
    if half and head[1::2].count(0) > 0.4 * half and not head[::2].count(0):
        return Encoding("utf-16-le", "UTF-16 without a byte-order mark")
    if half and head[::2].count(0) > 0.4 * half and not head[1::2].count(0):
        return Encoding("utf-16-be", "UTF-16 without a byte-order mark")
    if not head.startswith((b"\xff\xfe", b"\xfe\xff")) and head.count(0) > 0.05 * len(head):
        raise ReadError("it holds binary data and no text", fix="write its rows as JSON lines: .jsonl")
    return UTF8


def _refuse_other_formats(file: Path, head: bytes) -> None:
    for mark, ending in FORMATS:
        if head.startswith(mark):
            move = f"mv {shlex.quote(str(file))} {shlex.quote(str(file.with_suffix(ending)))}"
            raise ReadError(
                f"it is {ending[1:].capitalize()} and no {file.suffix[1:]}", fix=f"name it so: {move}"
            )
    if head.startswith(b"PK\x03\x04"):
        raise ReadError("it is a ZIP archive or a spreadsheet", fix="unpack it, or save it as CSV UTF-8")


def second_guess(file: Path) -> Encoding:
    """The encoding of a file that is not UTF-8.

    Raises:
        ReadError: some of its lines are UTF-8 and others not, or it is not clear which encoding it has.
    """
    with open_bytes(file) as stream:
        lines = [(number, line) for number, line in enumerate(stream, 1) if not line.isascii()]
    wrong = [(number, line) for number, line in lines if not _is_utf8(line)]
    if wrong and 2 * len(wrong) <= len(lines):
        raise _mixed(file, wrong, len(lines))
    sample = bytearray()
    for _, line in wrong or lines:
        sample += line
        if len(sample) >= SAMPLE:
            break
    return _best(file, bytes(sample), (wrong or lines)[0][0])


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _mixed(file: Path, wrong: list[tuple[int, bytes]], count: int) -> ReadError:
    number, line = wrong[0]
    at = next(byte for byte in range(len(line)) if line[byte] > 127 and not _is_utf8(line[: byte + 1] + b"."))
    name, clean = shlex.quote(str(file)), shlex.quote(str(file.with_name(f"{file.stem}-clean{file.suffix}")))
    return ReadError(
        f"not UTF-8, as {count - len(wrong)} other lines are: byte 0x{line[at]:02x} after"
        f" {line[max(0, at - 20) : at].decode(errors='replace')!r}",
        number,
        f"correct the line, or leave such bytes out: iconv -c -f UTF-8 -t UTF-8 {name} > {clean}",
    )


def _best(file: Path, sample: bytes, line: int) -> Encoding:
    found = encodings_of(sample)
    if len(found) == 1:
        text = sample.decode(found[0], "replace")
        return Encoding(found[0], f"{CANDIDATES[found[0]]}, told by its letters: {words_of(text)}")
    if not found:
        byte = next(value for value in sample if value > 127)
        raise ReadError(
            f"neither UTF-8 nor an encoding that is known for certain, got byte 0x{byte:02x}",
            line,
            "save it as UTF-8 where it was written (spreadsheets: CSV UTF-8)",
        )
    name, converted = (
        shlex.quote(str(file)),
        shlex.quote(str(file.with_name(f"{file.stem}-utf8{file.suffix}"))),
    )
    readings = "; ".join(
        f"as {CANDIDATES[codec]}: {words_of(sample.decode(codec, 'replace'))}" for codec in found[:3]
    )
    commands = " or ".join(
        f"iconv -f {CANDIDATES[codec]} -t UTF-8 {name} > {converted}" for codec in found[:3]
    )
    raise ReadError(f"not UTF-8, and its encoding is not clear ({readings})", line, f"convert it: {commands}")
