"""What an export left in the texts of a row, and good texts that resemble it."""

import pytest

from ptx.data.findings.leftovers import leftovers
from ptx.data.findings.suspect import texts_of

NO_BREAK = "\u00a0"


def found(reply, prompt="Name a colour of the sky."):
    row = {"prompt": prompt, "completion": reply}
    return [sign.name for sign in leftovers(row, texts_of("completions", row))]


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        ("Blue.\n\nRegenerate response", "page-text"),
        ("print(1)\nCopy code\nIt prints 1.", "page-text"),
        ("2024-03-01T12:05:00Z Blue.", "time-before-reply"),
        ("[2024-03-01 12:05] - Blue.", "time-before-reply"),
        ("Un caf\\u00e9.", "escaped-letters"),
        (f"The{NO_BREAK}sky{NO_BREAK}is{NO_BREAK}blue.", "invisible-characters"),
    ],
)
def test_a_leftover_is_found(reply, name):
    assert found(reply) == [name]


@pytest.mark.parametrize(
    "reply",
    [
        "Press Regenerate response to ask again.",
        "2024-03-01 12:05:00",
        "2024-03-01 was a Friday.",
        'Write {"name": "caf\\u00e9"}.',
        "```json\n\\u00e9\n```",
        f"Vraiment{NO_BREAK}? Oui{NO_BREAK}! Il dit{NO_BREAK}: bleu, et le ciel est bien bleu ce matin.",
    ],
)
def test_good_texts_have_none(reply):
    assert found(reply) == []


def conversation(system, asked):
    row = {"messages": [{"role": "system", "content": system}, {"role": "user", "content": asked}]}
    return [sign.name for sign in leftovers(row, texts_of("messages", row))]


def test_the_system_text_before_a_question_is_found():
    assert conversation("You are a clerk of the city.", "You are a clerk of the city. Hello?") == [
        "system-repeated"
    ]
    assert conversation("You are a clerk of the city.", "Are you a clerk of the city?") == []
    assert conversation("Be brief.", "Be brief. Hello?") == []  # short enough to be said twice on purpose
