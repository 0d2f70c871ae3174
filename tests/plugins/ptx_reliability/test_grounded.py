import math

import pytest

from ptx_reliability.grounded import abstains, citations, supported, with_sources


@pytest.mark.parametrize(
    "text",
    [
        "I don\N{RIGHT SINGLE QUOTATION MARK}t know.",
        "That is NOT MENTIONED in the text",
        "No lo sé",
        "Ich weiß nicht.",
    ],
)
def test_a_reply_that_declines_is_recognised(text):
    assert abstains(text)
    assert not abstains("The answer is 7.")
    assert abstains("Pass.", ["pass"])


@pytest.mark.parametrize(
    ("text", "source", "value"),
    [
        ("The river of Sage is Roku.", "The river of Sage is Roku. The king is Bo.", 1),
        ("The river of Sage is Muli.", "The river of Sage is Roku.", 0),  # 2 of 3 words
        ("It was built in 1887.", "It was built in 1889.", 0),  # every number must be there
        (
            "It was built in 1,889 [1].",
            "It was built in 1889.",
            1,
        ),  # a citation's number is none of the reply's
        ("Roku.", None, math.nan),
        ("It is the.", "Roku", math.nan),  # no content words
    ],
)
def test_a_source_supports_what_it_mentions(text, source, value):
    assert supported(text, source, 0.75) == pytest.approx(value, nan_ok=True)


def test_citations_belong_to_their_sentences():
    assert citations("Roku flows north [1]. Muli does not [2, a-3]. No source here.") == [
        ("Roku flows north [1].", "1"),
        ("Muli does not [2, a-3].", "2"),
        ("Muli does not [2, a-3].", "a-3"),
    ]
    assert citations("Nothing.") == []
    assert with_sources("Why?", {"1": "A.", "b": "B."}) == "[1] A.\n[b] B.\nWhy?"
