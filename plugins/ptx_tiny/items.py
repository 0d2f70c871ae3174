"""One exercise of the demonstration model, and its side of the split.

The data is generated, and a generator may draw the same exercise twice: once for training, once for the
benchmark. A split over rows would therefore leak. Here the split is a property of the exercise: every item
has a `key` that names its meaning, independent of language and wording ("19 and 7 added", asked in Spanish or
German, as 19 + 7 or 7 + 19), and a hash of skill and key decides the side. All generators (pretraining
corpus, training shapes, benchmark) draw through `draw_item` and `draw_items`, so no exercise can be on both
sides.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LANGUAGES = ("en", "es", "de")
DIFFICULTIES = ("easy", "medium", "hard")
TEST_PERCENT = 12


@dataclass(frozen=True)
class Item:
    """One exercise in one language: what is asked, the bare right answer, and one plausible wrong answer."""

    skill: str
    key: str
    language: str
    difficulty: str
    prompt: str
    answer: str
    wrong: str
    # the same exercise as a terse line with its answer, for the pretraining corpus
    plain: str
    choices: tuple[str, ...] = ()  # for multiple choice; holds the answer

    @property
    def segments(self) -> dict[str, str]:
        """The columns by which reports split their tables."""
        return {"skill": self.skill, "language": self.language, "difficulty": self.difficulty}


Drawer = Callable[[random.Random, str], Item]


def is_test(skill: str, key: str) -> bool:
    """Whether an exercise belongs to the benchmark.

    It follows from a hash of the key alone, so it is the same in every process and version.
    """
    digest = hashlib.sha256(f"{skill}|{key}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < TEST_PERCENT


def draw_item(draw: Drawer, rng: random.Random, language: str, *, test: bool) -> Item:
    """Draw until the item lies on the wanted side of the split."""
    while True:
        item = draw(rng, language)
        if is_test(item.skill, item.key) == test:
            return item


def draw_items(draw: Drawer, rng: random.Random, count: int, *, test: bool) -> Iterator[Item]:
    """`count` items, with the languages in turn; test items all have different keys.

    Raises:
        ValueError: the skill has fewer distinct test items than `count`.
    """
    seen: set[str] = set()
    for index in range(count):
        for _ in range(1000):
            item = draw_item(draw, rng, LANGUAGES[index % len(LANGUAGES)], test=test)
            if not (test and item.key in seen):
                break
        else:
            raise ValueError(
                f"only {len(seen)} distinct test items of skill {item.skill}, {count} wanted; ask for fewer"
            )
        seen.add(item.key)
        yield item
