"""Files of principles: own ones, those of the open recipe, and what is wrong with one."""

from __future__ import annotations

import json

import pytest

from ptx import ConfigError
from ptx_critique import PACKAGED
from ptx_critique.constitution import read


def test_the_file_of_the_open_recipe_is_read_as_it_is(tmp_path):
    path = tmp_path / "constitution.json"
    chats = [[{"role": "user", "content": "How?"}, {"role": "assistant", "content": "So."}]]
    path.write_text(
        json.dumps({"constitutions": [{"critic": "Bad?", "revision": "Better."}], "system_chat": chats})
    )
    found = read(path)
    assert [(one.name, one.critique, one.revision) for one in found.principles] == [("1", "Bad?", "Better.")]
    assert [turn["content"] for turn in found.examples] == ["How?", "So."]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there are no principles"),
        ("principles: 3", "there are no principles"),
        ("[{critique: a, revision: b}, {critique: a}]", "principle 2 has no text for revision"),
        ("[3]", "principle 1 has no text for critique"),
        ("[{critique: a, revision: [b]}]", "principle 1 has no text for revision"),
        ("[{critique: a", "it is not YAML"),
        ("{principles: [{critique: a, revision: b}], examples: [[{role: boss}]]}", "must be a turn"),
    ],
)
def test_a_file_that_holds_something_else_is_refused_with_its_place(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read(path)


def test_a_prompt_draws_every_principle_before_one_comes_twice():
    found = read(PACKAGED)
    names = [one.name for one in found.drawn(0, "prompt", 16)]
    assert len(set(names)) == 16
    assert [one.name for one in found.drawn(0, "prompt", 3)] != [
        one.name for one in found.drawn(1, "prompt", 3)
    ]
    draws = [found.drawn(0, f"prompt {n}", 1)[0].name for n in range(200)]
    assert len(set(draws)) == 16
    assert len(found.drawn(0, "prompt", 20)) == 20
