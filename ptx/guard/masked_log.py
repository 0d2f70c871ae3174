"""The log of a child process, written through a pipe: no secret reaches the disk, whoever is killed.

What the child writes, and what its own children write to the descriptors that they inherit, is masked before
it is in the file. A log that is masked when the child has ended would keep the keys that stood in it where
the whole tree of processes was killed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ptx.guard.secrets import reference, secrets

CHUNK = 65_536  # bytes: what a pipe holds
GRACE = 5.0  # seconds in which the last words of a child that has ended are written


class MaskedLog:
    """The file ``path``, as children write it; it is there from the first child on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._copying: threading.Thread | None = None

    @contextmanager
    def writing(self, *, append: bool = False) -> Iterator[int]:
        """The descriptor for a child that is started in the context, and that keeps a copy of it."""
        file = self.path.open("ab" if append else "wb")
        reading, descriptor = os.pipe()
        self._copying = threading.Thread(target=_copy, args=(reading, file), daemon=True, name="ptx-log")
        self._copying.start()
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def wait(self, seconds: float = GRACE) -> None:
        """Wait until the file holds all that the child, which has ended, has written.

        A process of the child's that lives on may go on writing.
        """
        if self._copying is not None:
            self._copying.join(seconds)


def _copy(reading: int, file: IO[bytes]) -> None:
    """Write what comes through a pipe into ``file``, masked, until nobody holds its other end.

    The pipe is emptied also where the file cannot be written (a full disk): the child would wait for ever.
    """
    held = b""
    with file, os.fdopen(reading, "rb", buffering=0) as pipe:
        while chunk := pipe.read(CHUNK):
            text = masked_bytes(held + chunk)
            whole = len(text) - _begun(text)
            held = text[whole:]
            with suppress(OSError):
                file.write(text[:whole])
                file.flush()
        with suppress(OSError):
            file.write(held)
            file.flush()


def masked_bytes(text: bytes) -> bytes:
    """The bytes of a text with references in place of secret values."""
    for value, name in _secrets():
        if value in text:
            text = text.replace(value, reference(name).encode())
    return text


def _begun(text: bytes) -> int:
    """How many of the last bytes of ``text`` may be the beginning of a secret value."""
    values = [value for value, _ in _secrets()]
    longest = min(max(map(len, values), default=1) - 1, len(text))
    return next(
        (size for size in range(longest, 0, -1) if any(value.startswith(text[-size:]) for value in values)), 0
    )


def _secrets() -> list[tuple[bytes, str]]:
    return [(value.encode(errors="surrogateescape"), name) for value, name in secrets().items()]
