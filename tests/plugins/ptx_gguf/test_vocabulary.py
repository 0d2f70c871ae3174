import json

from gguf import TokenType

from ptx.lm.load import load_tokenizer
from ptx_gguf.vocabulary import add_vocabulary, pre_tokenizer


def test_pre_tokenizers_are_named_only_where_they_are_surely_the_same(chat_model, tmp_path):
    described = json.loads((chat_model / "tokenizer.json").read_text())
    parts = {
        "gpt-2": {"type": "ByteLevel", "use_regex": True},
        "smollm": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel"}],
        },
        "default": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Split", "pattern": {"Regex": "x+"}}, {"type": "ByteLevel"}],
        },
    }
    for name, part in parts.items():
        (tmp_path / "tokenizer.json").write_text(json.dumps(described | {"pre_tokenizer": part}))
        assert pre_tokenizer(tmp_path) == name


class Writer:
    """What a GGUFWriter is told."""

    def __init__(self):
        self.kv_data, self.told = [{}], {}

    def __getattr__(self, name):
        return lambda *values: self.told.setdefault(name, values[0])


def test_a_tokenizer_is_padded_to_the_models_vocabulary(chat_model):
    tokenizer, writer = load_tokenizer(chat_model), Writer()
    size = len(tokenizer) + 2
    add_vocabulary(writer, chat_model, size)
    assert len(writer.told["add_token_list"]) == len(writer.told["add_token_types"]) == size
    assert writer.told["add_token_list"][-1] == f"[PAD{size - 1}]"
    assert writer.told["add_token_types"][-1] == TokenType.UNUSED
    assert writer.told["add_token_types"][tokenizer.eos_token_id] == TokenType.CONTROL
    assert writer.told["add_chat_template"] == tokenizer.chat_template
    assert writer.told["add_token_merges"], "llama.cpp opens no vocabulary without merges"
