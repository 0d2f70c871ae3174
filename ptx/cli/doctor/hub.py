"""The hub of models and datasets: whether it answers, what its cache holds, and whose keys are set."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from pathlib import Path

from ptx.cli.doctor.line import Line
from ptx.cli.human import size_text
from ptx.errors import counted
from ptx.guard.secrets import is_secret

DEFAULT = "https://huggingface.co"
TIMEOUT = 3.0  # seconds


def look() -> list[Line]:
    """The connection, the cache and the keys; the values of keys are never shown."""
    return [_connection(), _cache(), _keys()]


def _connection() -> Line:
    endpoint = os.environ.get("HF_ENDPOINT", DEFAULT)
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
        return Line("network", "HF_HUB_OFFLINE is set: only what the cache holds is used")
    if not endpoint.startswith(("http://", "https://")):
        return Line("network", f"HF_ENDPOINT={endpoint} is no address", "wrong", f"HF_ENDPOINT={DEFAULT}")
    question = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310 (the scheme is checked above)
    try:
        with urllib.request.urlopen(question, timeout=TIMEOUT):  # noqa: S310
            return Line("network", f"{endpoint} answers")
    except urllib.error.HTTPError as error:
        return Line("network", f"{endpoint} answers (status {error.code})")
    except (OSError, ValueError):
        fix = "models and data that lie on this machine can be used; HF_HUB_OFFLINE=1 stops asking the hub"
        return Line("network", f"{endpoint} does not answer", "note", fix)


def _cache() -> Line:
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    folder = Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()
    held = [path for path in folder.glob("*--*") if path.is_dir()]
    if not held:
        return Line("hub cache", f"empty ({folder})")
    blobs = [blob for one in held for blob in one.glob("blobs/*") if blob.is_file()]
    size = size_text(sum(blob.stat().st_size for blob in blobs))
    return Line("hub cache", f"{counted(len(held), 'download')}, {size} ({folder})")


def _keys() -> Line:
    names = sorted(name for name, value in os.environ.items() if value and is_secret(name, value))
    return Line("keys", f"set in the environment: {', '.join(names)}" if names else "none in the environment")
