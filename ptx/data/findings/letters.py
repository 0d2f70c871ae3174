# ruff: noqa: RUF001 (the signs that ruff takes for others are what this module is about)
"""Tells from its letters which encoding a text has that is not UTF-8.

Three rules, the surest first. A text that has only the letters and signs of Western Europe, one by one
between ASCII letters, is Windows-1252. East Asian encodings show by their script: kana, Hangul, the commonest
Chinese signs. The rest (Cyrillic, Greek, Central European) is ranked by charset-normalizer. What two
encodings read equally well and differently stays open: the caller asks.
"""

from __future__ import annotations

from itertools import pairwise

#: Python's name -> iconv's name of the encodings that are told apart
CANDIDATES = {
    "cp1252": "WINDOWS-1252",
    "cp1250": "WINDOWS-1250",
    "cp1251": "WINDOWS-1251",
    "cp1253": "WINDOWS-1253",
    "cp1254": "WINDOWS-1254",
    "koi8_r": "KOI8-R",
    "gb18030": "GB18030",
    "big5": "BIG5",
    "cp932": "CP932",
    "euc_jp": "EUC-JP",
    "cp949": "CP949",
}
SINGLE_BYTE = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "koi8_r")
CLOSE = 0.1  # difference in charset-normalizer's scores (0 to 1) that does not decide
MESS = 0.2  # charset-normalizer's chaos (0 to 1) above which nothing is believed

#: letters and signs of Western Europe; õ is Portuguese where ã or ç stand beside it, and else Hungarian
LETTERS = "àâäáãåæçéèêëíìîïñóòôöøœúùûüßÿ"
SIGNS = "“”„‘’‚‹›«»–—…•€£¥§°·×÷±²³µ¼½¾¡¿©®™´\xa0\xad"
WESTERN = frozenset(LETTERS + LETTERS.upper() + SIGNS)
#: what every third sign of Chinese text is
COMMON = {
    "gb18030": frozenset("的一是不了在人有我他这中大来上国个到说们为子和你地出会时要也，。？！、：；"),
    "big5": frozenset("的一是不了在人有我他這中大來上國個到說們為子和你地出會時要也，。？！、：；"),
}


def encodings_of(sample: bytes) -> list[str]:
    """The encodings that the bytes may have: one where it is clear, those that differ where not."""
    western = _read(sample, "cp1252")
    if western is not None and _is_western(western) and _plausible(western):
        return ["cp1252"]
    if found := _east_asian(sample):
        return found
    ranked = _ranked(sample)
    distinct = {_read(sample, codec): codec for codec in reversed(ranked)}
    return [codec for codec in ranked if codec in distinct.values()]


def _read(sample: bytes, codec: str) -> str | None:
    try:
        return sample.decode(codec)
    except UnicodeDecodeError:
        return None


def _east_asian(sample: bytes) -> list[str]:
    """Japanese before Chinese: GB 18030 has kana at the same bytes as EUC-JP, Chinese text has none."""
    for codec in ("cp932", "euc_jp"):
        if _share(_read(sample, codec), "\u3041", "\u30fe") > 0.2:
            return [codec]
    if _share(_read(sample, "cp949"), "\uac00", "\ud7a3") > 0.95:
        return ["cp949"]
    shares = {codec: _common(_read(sample, codec), signs) for codec, signs in COMMON.items()}
    best = max(shares, key=lambda codec: shares[codec])
    close = [codec for codec in shares if shares[codec] > 0.5 * shares[best]]
    return [best, *(codec for codec in close if codec != best)] if shares[best] > 0.05 else []


def _share(text: str | None, first: str, last: str) -> float:
    """The share of the letters from ``first`` to ``last``, apart from ASCII ones, in all but ASCII."""
    padded = f" {text or ''} "
    around = zip(padded, padded[1:], padded[2:], strict=False)
    others = [(left + right, sign) for left, sign, right in around if not sign.isascii() and sign.isalpha()]
    found = [first <= sign <= last and not _latin(beside) for beside, sign in others]
    return sum(found) / len(found) if len(found) > 1 else 0.0


def _latin(beside: str) -> bool:
    return any(sign.isascii() and sign.isalnum() for sign in beside)


def _common(text: str | None, signs: frozenset[str]) -> float:
    others = [sign for sign in text or "" if not sign.isascii()]
    return sum(sign in signs for sign in others) / len(others) if others else 0.0


def _is_western(text: str) -> bool:
    others = [sign for sign in text if not sign.isascii()]
    runs = sum(not (one.isascii() or two.isascii()) for one, two in pairwise(text))
    portuguese = set("ãçÃÇ") & set(others)
    return set(others) <= WESTERN | (set("õÕ") if portuguese else set()) and 3 * runs <= len(others)


def _plausible(text: str) -> bool:
    """Whether signs stand where signs do: none inside a word, and no capital behind a small letter."""
    for before, sign, after in zip(text, text[1:], text[2:], strict=False):
        if sign.isascii() or sign in "’‘´·\xad":
            continue
        if before.isalpha() and after.isalpha() and not sign.isalpha() and sign not in "–—…":
            return False
        if before.islower() and sign.isupper():
            return False
    return True


def _ranked(sample: bytes) -> list[str]:
    """The candidates that read the sample about as well as the best one, the best first."""
    from charset_normalizer import from_bytes

    found = [
        match
        for match in from_bytes(sample, cp_isolation=list(SINGLE_BYTE))
        if match.encoding in SINGLE_BYTE and match.chaos <= MESS and _plausible(sample.decode(match.encoding))
    ]
    best = max((match.coherence - match.chaos for match in found), default=0.0)
    close = [match for match in found if best - (match.coherence - match.chaos) <= CLOSE]
    return [match.encoding for match in sorted(close, key=lambda one: one.chaos - one.coherence)]


def words_of(text: str) -> str:
    """Up to four words with other than ASCII letters, as an example of how the text is read."""
    words = [word.strip(".,;:!?\"'()[]{}") for word in text.replace(",", " ").replace(";", " ").split()]
    return ", ".join(list(dict.fromkeys(word[:20] for word in words if not word.isascii()))[:4])
