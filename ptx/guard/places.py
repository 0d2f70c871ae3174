"""Where ptx and its libraries write, and the word to type that lets them write elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from ptx.guard.scratch import PREFIX

OUT = "out=/another/disk/ptx-out"


def cache() -> Path:
    """The cache of ptx itself; those who write to it call :func:`ptx.files.cache_folder`."""
    chosen = os.environ.get("PTX_CACHE")
    return Path(chosen) if chosen else _caches() / "ptx"


def _caches() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def elsewhere(path: str, out: str = OUT) -> str:
    """The word that lets a command write a file in another place.

    ``out`` is the word for what is neither in a cache nor a temporary file; empty where there is none.
    """
    place = Path(path).absolute()
    if any(part.startswith(PREFIX) for part in place.parts):
        return "TMPDIR=/another/disk"
    try:
        hub = Path(os.environ.get("HF_HOME") or _caches() / "huggingface")
        caches = {hub: "HF_HOME=/another/disk/huggingface", cache(): "PTX_CACHE=/another/disk/ptx-cache"}
    except RuntimeError:  # a user without a home
        return out
    return next((word for folder, word in caches.items() if place.is_relative_to(folder.absolute())), out)
