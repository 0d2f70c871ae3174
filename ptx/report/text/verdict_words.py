"""The words for verdicts in sentences."""

from __future__ import annotations

from ptx.stats import Verdict

AGAINST: dict[Verdict, str] = {
    "better": "better than",
    "worse": "worse than",
    "same": "not measurably different from",
    "too few": "measured on too few items to compare with",
}
QUALITY: dict[Verdict, str] = {
    "better": "better quality",
    "worse": "worse quality",
    "same": "quality not measurably different",
    "too few": "quality measured on too few items to say",
}
