"""``ptx check``: what a model or data value is, what it can be used for, and what is wrong with it."""

from __future__ import annotations

import json

import pytest

import ptx_tiny


@pytest.fixture(autouse=True)
def host(toy, host_with, monkeypatch):
    """A host with the model that a configuration names by default."""
    made = host_with(toy=toy, tiny=ptx_tiny)
    monkeypatch.setattr("ptx.cli.check.get_host", lambda: made)


def test_a_dataset_is_described_with_its_shapes_and_the_choices_that_it_fits(ptx):
    code, out, _ = ptx("check", "data=./text.jsonl")
    assert code == 0
    lines = [line.strip() for line in out.splitlines()]
    assert lines[1].startswith("text: 5 rows")
    assert lines[2] == "fits: method=toy, method=other"
    assert lines[3] == 'first: {"text": "line 0"}'


def test_a_model_is_described_by_its_headers(ptx):
    code, out, _ = ptx("check", "model=./model")
    assert code == 0
    assert "LlamaForCausalLM, 1 parameters, float32" in out
    assert "chat template: no (train on text or prompt/completion data)" in out


def test_a_row_that_cannot_be_used_is_named_with_exit_code_two(ptx, desk):
    (desk / "pairs.jsonl").write_text(
        json.dumps({"prompt": "a", "chosen": "b", "rejected": "b"}) + "\n" + '{"prompt": \n'
    )
    code, _, err = ptx("check", "data=./pairs.jsonl")
    assert code == 2
    assert "line 2" in err


def test_a_folder_that_is_no_model_is_refused(ptx, desk):
    (desk / "empty").mkdir()
    code, _, err = ptx("check", "model=./empty")
    assert code == 2
    assert "config.json" in err


def test_without_a_value_it_says_what_to_give(ptx):
    code, _, err = ptx("check", "seed=1")
    assert (code, err.strip()) == (2, "ptx: nothing to check; give data=./my.jsonl or model=./folder")
