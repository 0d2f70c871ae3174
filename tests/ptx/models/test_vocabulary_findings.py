"""Vocabularies that contradict themselves, the embedding or the template."""

import json
from pathlib import Path

import pytest

import ptx_tiny
from ptx.models.contradictions import faults, findings, notes, refusals
from ptx.models.finding import TRAIN
from ptx.models.mend import mend
from tests.ptx.models import public

SMOL = "SmolLM2-135M-Instruct"


@pytest.fixture
def folder(tmp_path):
    """``folder(**{"file.json": edit})``: a public model whose files are edited in place."""

    def folder(**edits):
        made = public.write(tmp_path / "model", SMOL)
        for name, edit in edits.items():
            held = json.loads((made / name).read_text())
            edit(held)
            (made / name).write_text(json.dumps(held))
        return made

    return folder


def _add(**entry):
    return {"tokenizer.json": lambda held: held["added_tokens"].append({"special": True, **entry})}


def test_two_added_tokens_with_one_id_are_told(folder):
    (problem,) = refusals(folder(**_add(id=1, content="<|other|>")), TRAIN)
    assert "gives the id 1 to '<|im_start|>' and '<|other|>'" in str(problem)


def test_one_token_with_two_ids_is_told(folder):
    told = [str(one) for one in refusals(folder(**_add(id=40000, content="<|im_end|>")), TRAIN)]
    assert any("gives '<|im_end|>' the ids 2 and 40000" in one for one in told)


def test_a_vocabulary_behind_the_embedding_is_another_model_s(folder):
    more = {f"word{place}": 49152 + place for place in range(3)}
    (fault,) = faults(folder(**{"tokenizer.json": lambda held: held["model"]["vocab"].update(more)}))
    assert "has 3 tokens beyond the 49152 rows of the embedding, first 'word0'" in str(fault)


def test_generation_that_stops_at_no_token_is_told_and_mended(folder, tmp_path):
    made = folder(**{"generation_config.json": lambda held: held.update(eos_token_id=[2, 99999])})
    (note,) = notes(made)
    assert "generation_config.json stops at the id 99999, and the embedding has 49152 rows" in str(note)
    assert mend(made, tmp_path / "mended")[1] == []
    assert json.loads((tmp_path / "mended" / "generation_config.json").read_text())["eos_token_id"] == [2]


def test_a_folder_that_never_says_where_a_text_ends_is_told(folder):
    def without(held):
        for name in ("eos_token", "eos_token_id", "pad_token"):
            held.pop(name, None)

    files = ("config.json", "generation_config.json", "tokenizer_config.json")
    (problem,) = refusals(folder(**dict.fromkeys(files, without)), TRAIN)
    assert "no file says where a text ends" in str(problem)


@pytest.mark.parametrize(
    ("template", "said"),
    [(public.LLAMA_3, "ends a turn with '<|eot_id|>', which is no token"), (public.ZEPHYR, "")],
)
def test_a_template_of_another_model_is_told_by_the_end_of_its_turns(folder, template, said):
    made = folder(**{"tokenizer_config.json": lambda held: held.update(chat_template=template)})
    told = [str(note) for note in notes(made) if "is no token" in str(note)]
    assert len(told) == bool(said)
    assert said in "".join(told)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("truncation", {"max_length": 16}, "cuts every text after 16 tokens (truncation)"),
        ("padding", {"strategy": {"Fixed": 64}}, "fills up every text to 64 tokens (padding)"),
    ],
)
def test_a_file_that_cuts_or_fills_up_every_text_is_a_note_and_mended(folder, tmp_path, name, value, said):
    made = folder(**{"tokenizer.json": lambda held: held.update({name: value})})
    (note,) = notes(made)
    assert said in str(note)
    assert mend(made, tmp_path / "mended")[1] == []
    assert json.loads((tmp_path / "mended" / "tokenizer.json").read_text())[name] is None


def test_filling_up_to_the_longest_of_a_batch_is_no_finding(folder):
    made = folder(**{"tokenizer.json": lambda held: held.update(padding={"strategy": "BatchLongest"})})
    assert findings(made) == ()


def test_the_embedded_model_has_none():
    assert findings(Path(ptx_tiny.__file__).parent / "model") == ()


def test_the_public_model_itself_has_none(folder):
    assert findings(folder()) == ()
