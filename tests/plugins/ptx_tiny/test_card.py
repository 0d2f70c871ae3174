"""The model card: the committed one is that of the committed figures."""

import json

from ptx_tiny import MODEL_FOLDER
from ptx_tiny.card import card

FIGURES = json.loads((MODEL_FOLDER / "build.json").read_text(encoding="utf-8"))


def test_the_card_says_what_the_model_is_for_and_what_the_build_measured():
    text = (MODEL_FOLDER / "README.md").read_text(encoding="utf-8")
    assert "demonstration and test model" in text.lower()
    for skill, score in FIGURES["scores"].items():
        assert f"| {skill} | {score['strict']:.0%} | {score['flexible']:.0%} | {score['n']} |" in text


def test_the_committed_card_is_written_from_the_committed_figures():
    assert card(FIGURES) == (MODEL_FOLDER / "README.md").read_text(encoding="utf-8")
