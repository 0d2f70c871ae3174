"""Columns of numbers as short texts: a page of ten thousand rows has two million numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

DIGITS = 6  # significant digits; a reader sees three or four


def packed(values: Iterable[float | None], digits: int = DIGITS) -> str:
    """The numbers with commas between; no value is an empty place, infinity is ``inf``."""
    known = tuple(math.nan if value is None else value for value in values)
    return (f"%.{digits}g," * len(known) % known)[:-1].replace("nan", "")


def coded(texts: Sequence[str]) -> dict[str, Any]:
    """Texts that repeat as a list of the distinct ones and one index each."""
    distinct = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    return {"values": list(distinct), "of": packed(distinct[text] for text in texts)}


def script_json(value: object) -> str:
    """JSON that can stand in a ``<script>`` of any HTML page: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
