"""Skills on short sequences of letters: sorting, reversing, counting.

Letters are separated by spaces, so that each is a token of its own; so the exercise tests the model and not
its tokenizer.
"""

from __future__ import annotations

import random

from ptx_tiny.items import DIFFICULTIES, Item

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
SORT = {
    "en": ("Sort these letters: {letters}", "Put in order: {letters}"),
    "es": ("Ordena estas letras: {letters}", "Pon en orden: {letters}"),
    "de": ("Sortiere diese Buchstaben: {letters}", "Bringe in Ordnung: {letters}"),
}
REVERSE = {
    "en": ("Reverse these letters: {letters}", "Say it backwards: {letters}"),
    "es": ("Invierte estas letras: {letters}", "Dilo al revés: {letters}"),
    "de": ("Drehe diese Buchstaben um: {letters}", "Sag es rückwärts: {letters}"),
}
COUNT = {
    "en": ("How often is {letter} in: {letters}?", "Count the {letter} in: {letters}"),
    "es": ("¿Cuántas veces está {letter} en: {letters}?", "Cuenta la {letter} en: {letters}"),
    "de": ("Wie oft steht {letter} in: {letters}?", "Zähle das {letter} in: {letters}"),
}


def sort(rng: random.Random, language: str) -> Item:
    """Letters into alphabetical order; the key is the answer, because every order of them has the same."""
    level = rng.randrange(3)
    letters = rng.sample(ALPHABET, level + 3)
    answer = " ".join(sorted(letters))
    shown = " ".join(letters)
    prompt = rng.choice(SORT[language]).format(letters=shown)
    return Item(
        "sort",
        answer,
        language,
        DIFFICULTIES[level],
        prompt,
        answer,
        swapped(answer, rng),
        f"sort {shown} -> {answer}",
    )


def reverse(rng: random.Random, language: str) -> Item:
    """Letters backwards; a sequence and its mirror image have one key, as each reveals the other's answer."""
    level = rng.randrange(3)
    letters = rng.sample(ALPHABET, level + 3)
    shown, answer = " ".join(letters), " ".join(reversed(letters))
    prompt = rng.choice(REVERSE[language]).format(letters=shown)
    key = min(shown, answer)
    return Item(
        "reverse",
        key,
        language,
        DIFFICULTIES[level],
        prompt,
        answer,
        swapped(answer, rng),
        f"reverse {shown} -> {answer}",
    )


def count(rng: random.Random, language: str) -> Item:
    """How often a letter occurs in a sequence of four to nine letters."""
    level = rng.randrange(3)
    length = 4 + 2 * level + rng.randrange(2)
    pool = rng.sample(ALPHABET, 3)
    letters = [rng.choice(pool) for _ in range(length)]
    letter = pool[0]
    answer = letters.count(letter)
    wrong = answer + 1 if answer == 0 else answer + rng.choice((-1, 1))
    shown = " ".join(letters)
    prompt = rng.choice(COUNT[language]).format(letter=letter, letters=shown)
    key = f"{letter}:{''.join(letters)}"
    plain = f"count {letter} in {shown} = {answer}"
    return Item("count", key, language, DIFFICULTIES[level], prompt, str(answer), str(wrong), plain)


def swapped(answer: str, rng: random.Random) -> str:
    """The answer with two neighbouring letters exchanged."""
    letters = answer.split()
    at = rng.randrange(len(letters) - 1)
    letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return " ".join(letters)
