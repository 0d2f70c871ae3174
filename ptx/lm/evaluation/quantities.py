r"""Numbers in answers: exact values, with the unit behind them. Imports no ML library.

Values are exact fractions, so 1/3 is not 0.333 and 1e-8 is not 0. Written forms that are read: signs,
currencies, thousands separators (``1,234``, ``1 234``, ``1{,}234``, ``1_234``, ``12,34,567`` as in India),
decimals, exponents (``1e3``, ``3 \times 10^{4}``), fractions and mixed numbers in both notations, percent,
units, number words. Units of one kind are converted (120 min is 2 h), and such parts are summed (3 h 20 min).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

#: digits with separators for thousands, and for lakhs and crores
GROUPED = r"(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}|\d{1,3}(?:_\d{3})+)(?![\d_])"
#: sign, currency, digits (with or without commas for thousands), decimals, exponent, denominator; not inside
#: a word or a version such as 1.2.3
NUMBER = re.compile(
    r"(?<![\w])(?<!\d\.)(?P<sign>[-+]?)[$€£]?"
    rf"(?P<digits>(?:{GROUPED}|\d+)(?:\.\d+)?(?:[eE][-+]?\d{{1,4}})?|(?<!\.)\.\d+)"
    r"(?:/(?P<under>\d+)(?![\d./]))?"
)
DIGITS = (
    rf"(?:{GROUPED}(?:\.\d+)?|\d{{1,3}}(?:\s\d{{3}})+(?!\d)(?:\.\d+)?"
    r"|\d+(?:\.\d*)?(?:[eE][-+]?\d{1,4})?|\.\d+)"
)
QUANTITY = re.compile(
    rf"(?P<sign>[-+]?)\s*(?P<money>[$€£¥₹]?)\s*(?P<inner>-?)\s*"
    r"(?:(?P<whole>\d+)\s*(?:\\frac\{(?P<over>\d+)\}\{(?P<under>\d+)\}"
    r"|\s(?P<over2>\d+)\s*/\s*(?P<under2>\d+))"
    rf"|\\frac\s*\{{\s*(?P<top>-?{DIGITS})\s*\}}\s*\{{\s*(?P<bottom>-?{DIGITS})\s*\}}"
    rf"|(?P<digits>{DIGITS})(?:\s*/\s*(?P<by>{DIGITS}))?)"
    r"(?:\s*(?:\\cdot|x|\*)\s*10\s*\^\s*"
    r"(?:\{\s*(?P<power>[-+]?\d{1,4})\s*\}|\(?(?P<power2>[-+]?\d{1,4})\)?))?"
    r"\s*(?P<unit>[^\d\s].*|)",
    re.DOTALL,
)
#: a unit: a percent sign, degrees, a currency, words, ``\text{...}``, with powers and "per"
UNIT = re.compile(
    r"(?!\^)(?:\s|[%°$€£¥₹/.·-]|\\(?:text\{[^{}]*\}|cdot)|\^\s*\{?-?[23]\}?|[²³]"
    r"|[A-Za-zµ]+(?![A-Za-zµ{(=+*]))+"
)
LETTER = re.compile(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])")
ONE_LETTER = frozenset("mgshLlNJWVAKCFdkM")
SYNONYMS = {
    word: names.split()[0]
    for names in (
        "% percent pct percentage prozent", "$ dollar usd buck", "€ euro eur", "£ gbp", "¢ cent",
        "° degree deg grad", "m meter metre", "cm centimeter centimetre", "mm millimeter millimetre",
        "km kilometer kilometre", "g gram gm", "kg kilogram kilo", "mg milligram", "l liter litre",
        "ml milliliter millilitre", "s second sec", "min minute", "h hour hr", "day d", "year yr",
        "ft foot feet", "in inch inche", "mi mile", "yd yard", "lb pound", "oz ounce", "mph mi/h",
        "km/h kmh kph", "rad radian", "week wk", "₹ rupee inr", "¥ yen jpy",
        "person people", "child children", "man men", "woman women",
    )
    for word in names.split()
}  # fmt: skip
#: unit -> what it measures, and how many of the smallest unit of that it is
MEASURES: dict[str, tuple[str, Fraction]] = {
    unit: (kind, Fraction(size))
    for kind, sizes in (
        ("time", "s 1, min 60, h 3600, day 86400, week 604800"),
        ("length", "mm 1, cm 10, m 1000, km 1000000, in 25.4, ft 304.8, yd 914.4, mi 1609344"),
        ("mass", "mg 1, g 1000, kg 1000000"),
        ("weight", "oz 1, lb 16"),
        ("volume", "ml 1, l 1000"),
        ("dollars", "¢ 1, $ 100"),
    )
    for unit, size in (one.split() for one in sizes.split(", "))
}
#: a number and its unit as a part of a sum, and what may stand between two of them
PART = re.compile(rf"(?P<digits>{DIGITS})\s*(?P<unit>[A-Za-z]+)\.?")
BETWEEN = re.compile(r"\s*,?\s*(?:and|und)?\s*", re.IGNORECASE)
MOST_SUMMED = 4
WORDS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
]  # fmt: skip
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
TENS_AND = re.compile(rf"({'|'.join(TENS)})(?:[- ]({'|'.join(WORDS[1:10])}))?", re.IGNORECASE)
SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
#: numbers with more digits before or after the point are noise, and slow to compare
MOST_DIGITS = 100


@dataclass(frozen=True)
class Quantity:
    """A number and its unit; ``summed`` where it is the sum of parts with units of their own."""

    value: Fraction
    unit: str = ""
    summed: bool = False

    @property
    def percent(self) -> bool:
        """Whether the value counts hundredths."""
        return self.unit == "%"

    def equals(self, wanted: Quantity, tolerance: float) -> bool:
        """Whether it is the ``wanted`` quantity; a unit that only one of both has is taken as understood.

        Units of one kind are converted; the sum of several has none that could be understood. A percent sign
        may be left out of a number above 1 (50 for 50 %), and 50 % is 0.5.
        """
        if self.percent != wanted.percent:
            whole, part = (self, wanted) if self.percent else (wanted, self)
            if close(whole.value / 100, part.value, tolerance):
                return not part.unit
            understood = abs(whole.value) > 1 and not part.unit
            return understood and close(self.value, wanted.value, tolerance)
        value = self.value
        if self.unit and wanted.unit and self.unit != wanted.unit:
            ours, theirs = MEASURES.get(self.unit), MEASURES.get(wanted.unit)
            if not ours or not theirs or ours[0] != theirs[0]:
                return False
            value = value * ours[1] / theirs[1]
        lacking = (self.summed and not wanted.unit) or (wanted.summed and not self.unit)
        return not lacking and close(value, wanted.value, tolerance)


def close(found: Fraction, wanted: Fraction, tolerance: float) -> bool:
    """Whether two values are equal up to ``tolerance``, which is relative where ``wanted`` is below 1."""
    return abs(found - wanted) <= Fraction(tolerance) * min(Fraction(1), abs(wanted))


def quantity(text: str) -> Quantity | None:
    """The number and the unit that a text consists of; None if it is anything else."""
    text = text.strip()
    if text.casefold() in WORDS:
        return Quantity(Fraction(WORDS.index(text.casefold())))
    if spoken := TENS_AND.fullmatch(text):
        tens, ones = TENS.index(spoken[1].casefold()) + 2, spoken[2] or "zero"
        return Quantity(Fraction(10 * tens + WORDS.index(ones.casefold())))
    match = QUANTITY.fullmatch(text) if len(text) <= 4 * MOST_DIGITS else None
    if match is None or (value := _value(match)) is None:
        return _sum(text)
    unit = match["unit"].strip()
    if unit and not is_unit(unit, spaced=text[match.start("unit") - 1].isspace()):
        return _sum(text)
    scale, _, rest = unit.partition(" ")
    if scale.casefold() in SCALES:
        value, unit = value * SCALES[scale.casefold()], rest.strip()
    sign = -1 if (match["sign"] + match["inner"]).count("-") % 2 else 1
    return Quantity(sign * value, unit_name(match["money"] or unit))


def _sum(text: str) -> Quantity | None:
    """Several parts with units of one kind, from the largest to the smallest: 3 hours and 20 minutes."""
    if len(text) > 4 * MOST_DIGITS:
        return None
    found = list(PART.finditer(text))
    ends = [0, *(part.end() for part in found)]
    gaps = [text[end : part.start()] for end, part in zip(ends, found, strict=False)]
    if not 2 <= len(found) <= MOST_SUMMED or ends[-1] != len(text) or gaps[0]:
        return None
    if not all(BETWEEN.fullmatch(gap) and gap for gap in gaps[1:]):
        return None
    units = [unit_name(part["unit"]) for part in found]
    values = [_exact(part["digits"]) for part in found]
    sizes = [MEASURES.get(unit, ("", Fraction(0))) for unit in units]
    falling = all(one[1] > two[1] for one, two in pairwise(sizes))
    if len({kind for kind, _ in sizes}) > 1 or not sizes[0][0] or not falling:
        return None
    total = sum((value or 0) * size / sizes[-1][1] for value, (_, size) in zip(values, sizes, strict=True))
    return Quantity(Fraction(total), units[-1], summed=True) if None not in values else None


def _value(match: re.Match[str]) -> Fraction | None:
    """The value without its sign; None if it is too long or divides by zero."""
    names = ("whole", "over", "under", "over2", "under2", "top", "bottom", "digits", "by")
    parts = [_exact(match[name]) for name in names if match[name] is not None]
    power = int(match["power"] or match["power2"] or 0)
    numbers = [part for part in parts if part is not None]
    if len(numbers) < len(parts) or abs(power) > MOST_DIGITS or (len(numbers) > 1 and not numbers[-1]):
        return None
    value = numbers[-2] / numbers[-1] if len(numbers) > 1 else numbers[0]
    return (value + numbers[0] if match["whole"] else value) * Fraction(10) ** power


def _exact(digits: str) -> Fraction | None:
    digits = re.sub(r"[,_\s]", "", digits)
    exponent = re.search(r"[eE]([-+]?\d+)$", digits)
    if len(digits) > MOST_DIGITS or (exponent and abs(int(exponent[1])) > MOST_DIGITS):
        return None
    return Fraction(digits.removesuffix("."))


def is_unit(text: str, *, spaced: bool) -> bool:
    r"""Whether what follows a number is its unit and no factor of it: ``5 m`` and ``5cm``, but not ``5x``."""
    if not UNIT.fullmatch(text):
        return False
    bare = re.sub(r"\\text\{[^{}]*\}", "", text)
    return all(letter in ONE_LETTER and spaced for letter in LETTER.findall(bare))


def unit_name(text: str) -> str:
    """One name for the spellings of a unit: cm for "centimeters", cm^2 for "square cm" and "sq. cm"."""
    text = re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text).replace("²", "^2").replace("³", "^3")
    text = re.sub(r"\^\s*\{?(-?\d)\}?", r"^\1", text)
    text = re.sub(r"\b(?:sq\.?|square)\s+(\w+)", r"\1^2", text, flags=re.IGNORECASE)
    text = re.sub(r"\b(?:cu\.?|cubic)\s+(\w+)", r"\1^3", text, flags=re.IGNORECASE)
    text = re.sub(r"\s*(?:/|\bper\b)\s*", "/", re.sub(r"\s*\^", "^", text))
    parts = re.split(r"([/^\s·.]+)", text.strip(" ."))
    named = "".join(_word(part) if part.strip() and part[0] not in "/^" else part for part in parts)
    return SYNONYMS.get(named.casefold(), " ".join(named.split()))


def _word(word: str) -> str:
    if len(word) == 1 and word in ONE_LETTER:
        return "l" if word == "L" else word
    lowered = word.casefold()
    single = lowered[:-1] if lowered.endswith("s") and len(lowered) > 2 else lowered
    return SYNONYMS.get(lowered) or SYNONYMS.get(single) or single


def numbers_in(text: str) -> list[Fraction]:
    """All numbers in a text, in order."""
    return list(numbers(NUMBER.finditer(text)))


def numbers(matches: Iterable[re.Match[str]]) -> Iterator[Fraction]:
    """The values of matches of ``NUMBER``, without those that are too long or divide by zero."""
    return (number for number in map(_number, matches) if number is not None)


def _number(match: re.Match[str]) -> Fraction | None:
    value, under = _exact(match["digits"]), _exact(match["under"] or "1")
    if value is None or not under or len(match["digits"] + (match["under"] or "")) > 2 * MOST_DIGITS:
        return None
    return (-1 if match["sign"] == "-" else 1) * value / under
