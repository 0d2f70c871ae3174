"""What is read off a tokenizer that is known in part only; the findings: test_contradictions.py."""

import json

from ptx.models.folder import open_folder
from ptx.models.token_findings import stops_of, token_findings
from tests.ptx.models import public


def test_generation_stops_where_the_generation_config_says_else_where_the_config_says(tmp_path):
    folder = public.write(tmp_path, "Qwen2.5-0.5B-Instruct")
    assert stops_of(open_folder(folder)) == [151645, 151643]
    (folder / "generation_config.json").unlink()
    assert stops_of(open_folder(folder)) == [151645]


def test_a_vocabulary_in_a_sentencepiece_file_is_not_guessed_at(tmp_path):
    folder = public.write(tmp_path, "Llama-2-7b-chat-hf")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").touch()
    held = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(held | {"added_tokens_decoder": {}}))
    assert list(token_findings(open_folder(folder))) == []
