"""Skills on words: marking them, looking up a fact in a text, translating, finding the odd one out.

Places and names are made of random syllables and new in every item, so a right lookup must come from the
prompt and not from memory. Translation and odd-one-out use a closed vocabulary; there the split holds out
*combinations* of words.
"""

from __future__ import annotations

import random

from ptx_tiny.items import DIFFICULTIES, LANGUAGES, Item
from ptx_tiny.vocabulary import CATEGORIES, COLOURS, NOUNS, NUMBERS

MARKS = (("[", "]"), ("*", "*"), ("<", ">"))
MARK = {
    "en": ("in brackets", "between stars", "between angles"),
    "es": ("entre corchetes", "entre estrellas", "entre ángulos"),
    "de": ("in Klammern", "zwischen Sternen", "zwischen Winkeln"),
}
WRITE = {"en": "Write {words} {mark}.", "es": "Escribe {words} {mark}.", "de": "Schreibe {words} {mark}."}
FACT = {
    "en": "The {what} of {place} is {value}.",
    "es": "{what} de {place} es {value}.",
    "de": "{what} von {place} ist {value}.",
}
QUESTION = {
    "en": "What is the {what} of {place}?",
    "es": "¿Cuál es {what} de {place}?",
    "de": "Was ist {what} von {place}?",
}
WHAT = {
    "en": ("capital", "river", "king"),
    "es": ("la capital", "el río", "el rey"),
    "de": ("die Stadt", "der Fluss", "der König"),
}
TRANSLATE = {
    "en": {"es": "Translate into Spanish: {phrase}", "de": "Translate into German: {phrase}"},
    "es": {"en": "Traduce al inglés: {phrase}", "de": "Traduce al alemán: {phrase}"},
    "de": {"en": "Übersetze ins Englische: {phrase}", "es": "Übersetze ins Spanische: {phrase}"},
}
AND = {"en": "and", "es": "y", "de": "und"}
ODD = {
    "en": "Which word does not belong: {words}?",
    "es": "¿Qué palabra no encaja: {words}?",
    "de": "Welches Wort passt nicht: {words}?",
}


def invented(rng: random.Random, syllables: int) -> str:
    """An invented word, such as `kelo`."""
    return "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(syllables))


def mark(rng: random.Random, language: str) -> Item:
    """One to three invented words between marks: the skill of following a format."""
    level, kind = rng.randrange(3), rng.randrange(3)
    words = " ".join(invented(rng, 2) for _ in range(level + 1))
    left, right = MARKS[kind]
    other = MARKS[(kind + 1) % 3]
    prompt = WRITE[language].format(words=words, mark=MARK[language][kind])
    answer, wrong = f"{left}{words}{right}", f"{other[0]}{words}{other[1]}"
    return Item(
        "mark",
        words,
        language,
        DIFFICULTIES[level],
        prompt,
        answer,
        wrong,
        f"{MARK[language][kind]}: {answer}",
    )


def lookup(rng: random.Random, language: str) -> Item:
    """One of two to four facts about invented places, to be read from the prompt."""
    level, what = rng.randrange(3), rng.choice(WHAT[language])
    facts = {invented(rng, 2): invented(rng, 2).capitalize() for _ in range(level + 2)}
    places = [place.capitalize() for place in facts]
    values = list(facts.values())
    at = rng.randrange(len(values))
    text = " ".join(
        sentence(FACT[language].format(what=what, place=place, value=value))
        for place, value in zip(places, values, strict=True)
    )
    question = QUESTION[language].format(what=what, place=places[at])
    wrong = values[at - 1] if values[at - 1] != values[at] else invented(rng, 3).capitalize()
    again = sentence(FACT[language].format(what=what, place=places[at], value=values[at]))
    key = ",".join(sorted(f"{p}={v}" for p, v in zip(places, values, strict=True)))
    return Item(
        "lookup",
        key,
        language,
        DIFFICULTIES[level],
        f"{text} {question}",
        values[at],
        wrong,
        f"{text} {again}",
    )


def translate(rng: random.Random, language: str) -> Item:
    """A phrase of nouns with numbers and colours, into one of the other two languages."""
    level = rng.randrange(3)
    target = rng.choice([other for other in LANGUAGES if other != language])
    things = [
        (rng.randrange(len(NUMBERS)), rng.randrange(len(COLOURS)), rng.randrange(len(NOUNS)))
        for _ in range(1 + (level == 2))
    ]
    if level != 1:
        things = [(number, -1, noun) for number, _, noun in things]
    slipped = [
        (number, colour, (noun + rng.randrange(1, len(NOUNS))) % len(NOUNS))
        for number, colour, noun in things
    ]
    source, answer, wrong = phrase(things, language), phrase(things, target), phrase(slipped, target)
    prompt = TRANSLATE[language][target].format(phrase=source)
    key = phrase(sorted(things), "en")
    return Item(
        "translate", key, language, DIFFICULTIES[level], prompt, answer, wrong, f"{source} = {answer}"
    )


def phrase(things: list[tuple[int, int, int]], language: str) -> str:
    """A phrase such as `two red dogs and four cats`; a colour of -1 means none."""
    column = LANGUAGES.index(language)
    return f" {AND[language]} ".join(counted(thing, column) for thing in things)


def counted(thing: tuple[int, int, int], column: int) -> str:
    """Number, colour (unless it is -1) and noun in one language."""
    number, colour, noun = thing
    words = [NUMBERS[number][column], NOUNS[noun][column]]
    if colour >= 0:
        place = 2 if LANGUAGES[column] == "es" else 1  # in Spanish the colour follows the noun
        words.insert(place, COLOURS[colour][column])
    return " ".join(words)


def odd(rng: random.Random, language: str) -> Item:
    """Three to five words, one of them of another kind.

    The key is made of the English words, so that the item has the same key in every language.
    """
    level, column = rng.randrange(3), LANGUAGES.index(language)
    common, other = rng.sample(range(len(CATEGORIES)), 2)
    members = rng.sample(CATEGORIES[common], level + 2)
    stranger = rng.choice(CATEGORIES[other])
    shown = rng.sample([*members, stranger], level + 3)
    words = tuple(word[column] for word in shown)
    answer = stranger[column]
    key = ",".join(sorted(word[0] for word in shown))
    prompt = ODD[language].format(words=", ".join(words))
    plain = f"{', '.join(word[column] for word in members)} / {answer}"
    return Item("odd", key, language, DIFFICULTIES[level], prompt, answer, members[0][column], plain, words)


def sentence(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[0].upper() + text[1:]
