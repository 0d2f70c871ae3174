"""Skills on numbers: adding, subtracting, finding the largest.

Difficulty follows from digits and carries, because these decide whether a model of two million weights gets
the answer right.
"""

from __future__ import annotations

import random

from ptx_tiny.items import Item

ADD = {
    "en": ("What is {a} + {b}?", "Add {a} and {b}."),
    "es": ("¿Cuánto es {a} + {b}?", "Suma {a} y {b}."),
    "de": ("Was ist {a} + {b}?", "Addiere {a} und {b}."),
}
SUBTRACT = {
    "en": ("What is {a} - {b}?", "Take {b} from {a}."),
    "es": ("¿Cuánto es {a} - {b}?", "Quita {b} de {a}."),
    "de": ("Was ist {a} - {b}?", "Ziehe {b} von {a} ab."),
}
LARGEST = {
    "en": ("Which is the largest: {first} or {last}?", "Find the largest of {first} and {last}."),
    "es": ("¿Cuál es el mayor: {first} o {last}?", "Busca el mayor de {first} y {last}."),
    "de": ("Was ist am größten: {first} oder {last}?", "Suche das Größte von {first} und {last}."),
}


def add(rng: random.Random, language: str) -> Item:
    """The sum a + b; easy without a carry into the tens, medium with one, hard with three-digit results."""
    a, b = rng.randrange(2, 100), rng.randrange(2, 60)
    difficulty = "hard" if a + b > 99 else "medium" if a % 10 + b % 10 > 9 else "easy"
    low, high = sorted((a, b))
    prompt = rng.choice(ADD[language]).format(a=a, b=b)
    return Item(
        "add",
        f"{low}+{high}",
        language,
        difficulty,
        prompt,
        str(a + b),
        near(a + b, rng),
        f"{a} + {b} = {a + b}",
    )


def subtract(rng: random.Random, language: str) -> Item:
    """The difference a - b, at least zero; easy without a borrow, medium with one, hard for a above 99."""
    b = rng.randrange(2, 60)
    a = rng.randrange(b, 130)
    difficulty = "hard" if a > 99 else "medium" if a % 10 < b % 10 else "easy"
    prompt = rng.choice(SUBTRACT[language]).format(a=a, b=b)
    return Item(
        "subtract",
        f"{a}-{b}",
        language,
        difficulty,
        prompt,
        str(a - b),
        near(a - b, rng),
        f"{a} - {b} = {a - b}",
    )


def largest(rng: random.Random, language: str) -> Item:
    """The largest of two (easy), three (medium) or four (hard) numbers."""
    count = rng.randrange(2, 5)
    numbers = rng.sample(range(10, 1000), count)
    difficulty = ("easy", "medium", "hard")[count - 2]
    words = [str(n) for n in numbers]
    prompt = rng.choice(LARGEST[language]).format(first=", ".join(words[:-1]), last=words[-1])
    answer = str(max(numbers))
    wrong = rng.choice([w for w in words if w != answer])
    key = ",".join(sorted(words))
    return Item(
        "largest",
        key,
        language,
        difficulty,
        prompt,
        answer,
        wrong,
        f"max {' '.join(words)} = {answer}",
        tuple(words),
    )


def near(value: int, rng: random.Random) -> str:
    """A wrong value as small models give it: off by one, two or ten, and not below zero."""
    slips = [value + step for step in (-10, -2, -1, 1, 2, 10) if value + step >= 0]
    return str(rng.choice(slips))
