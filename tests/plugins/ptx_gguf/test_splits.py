"""llama.cpp's tokenizer in the file against the model's own, for the three kinds that can be written."""

import json

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from ptx import StepError
from ptx.lm.load import load_model, load_tokenizer
from ptx.models.package import write_package
from ptx_gguf.export import limits
from ptx_gguf.files import write
from ptx_gguf.model import FILE, GgufLanguageModel
from ptx_gguf.splits import TEXTS, check_splits, differing
from tests.plugins.conftest import random_llama

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
SPECIAL = ["<unk>", "<s>", "</s>"]
WORDS = [
    "the quick brown fox jumps over the lazy dog and the other dog",
    "a naïve text with words, numbers 123",
]
SPACE = "▁"


def sentencepiece(prefix):
    """BPE over characters, with bytes for unknown ones: as Llama 2 (a space before the text) or Gemma
    (none)."""
    tokens = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    replace = normalizers.Replace(" ", SPACE)
    tokens.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), replace]) if prefix else replace
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=[*SPECIAL, *BYTES], show_progress=False)
    tokens.train_from_iterator(WORDS * 20, trainer)
    tokens.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return without_added_bytes(tokens)


def without_added_bytes(tokens):
    """Bytes are tokens of the vocabulary, not added ones, in the tokenizers that are published."""
    described = json.loads(tokens.to_str())
    described["added_tokens"] = [one for one in described["added_tokens"] if one["content"] in SPECIAL]
    return Tokenizer.from_str(json.dumps(described))


def unigram():
    tokens = Tokenizer(models.Unigram())
    tokens.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    trainer = trainers.UnigramTrainer(
        vocab_size=420, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
    )
    tokens.train_from_iterator([*WORDS, *TEXTS] * 20, trainer)
    return tokens


@pytest.fixture
def opened(tmp_path):
    """``opened(tokens)``: a random model with these tokens, written and served."""
    served = []

    def make(tokens):
        source, folder = tmp_path / "model", tmp_path / "package"
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=tokens, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
        )
        tokenizer.save_pretrained(source)
        random_llama(len(tokenizer)).save_pretrained(source)
        folder.mkdir()
        network = load_model(source)
        kind, _ = write(network, source, folder / FILE, "f32")
        load_tokenizer(source).save_pretrained(folder)
        write_package(folder, "gguf", "digest", limits(network))
        served.append(GgufLanguageModel(folder, 256))
        return kind, served[-1], load_tokenizer(source)

    yield make
    for lm in served:
        lm.close()


@pytest.mark.parametrize("prefix", [True, False])
def test_sentencepiece_bpe_splits_every_text_as_the_model_does(opened, prefix):
    kind, lm, tokenizer = opened(sentencepiece(prefix))
    assert kind == "llama"
    assert differing(lm, tokenizer) == []
    assert lm.split("the dog") == tokenizer("the dog", add_special_tokens=False)["input_ids"]


def test_a_unigram_splits_plain_texts_as_the_model_does(opened):
    kind, lm, tokenizer = opened(unigram())
    assert kind == "t5"
    found = differing(lm, tokenizer)
    assert "The quick brown fox jumps over the lazy dog." not in found
    assert len(found) <= len(TEXTS) / 4


def test_byte_level_bpe_splits_every_text_as_the_model_does(f32_package):
    lm = GgufLanguageModel(f32_package, 256)
    try:
        assert differing(lm, load_tokenizer(f32_package)) == []
    finally:
        lm.close()


def test_another_tokenizer_is_refused_and_a_few_differences_are_said():
    assert check_splits([]) == ""
    assert "splits 1 of 18 texts otherwise than the model's, as 'x'" in check_splits(["x"])
    with pytest.raises(StepError, match="use runtime=onnx"):
        check_splits(list(TEXTS[:6]))
