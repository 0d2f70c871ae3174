"""Folders as they were published have no findings; each way in which one may contradict itself has one."""

import json
import shlex
import shutil
import subprocess
import sys

import pytest

from ptx.models.contradictions import faults, findings, notes, refusals
from ptx.models.finding import COMPRESS, EXPORT, TRAIN
from ptx.models.inspection import problems
from tests.ptx.models import public


@pytest.mark.parametrize("name", public.MODELS)
def test_a_public_model_has_no_finding(tmp_path, name):
    folder = public.write(tmp_path / name, name)
    assert problems(folder) == []
    assert [found.what for found in findings(folder)] == []


@pytest.fixture
def folder(tmp_path):
    """``folder("gpt2", {"config.json": {...}}, tensors)``: a public model with other values; None removes."""

    def make(name, changes=(), tensors=lambda given: given):
        made = public.write(tmp_path / "my model", name)
        for file, values in dict(changes).items():
            held = json.loads((made / file).read_text()) if (made / file).exists() else {}
            held = {key: value for key, value in (held | values).items() if value is not None}
            (made / file).write_text(json.dumps(held))
        public.weights(made / "model.safetensors", tensors(public.tensors_of(public.MODELS[name][0])))
        return made

    return make


SMOL, QWEN, CHAT = "SmolLM2-135M-Instruct", "Qwen2.5-0.5B-Instruct", "Llama-2-7b-chat-hf"
PLAIN = {"special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
PAD = {"id": 32000, "content": "[PAD]", **PLAIN}
UP = "model.layers.3.mlp.up_proj.weight"

#: name -> model, other values, other tensors, what is said, what is refused ("use": all), whether it mends
FAULTS = {
    "GGUF reader's eos": (
        SMOL,
        {"tokenizer_config.json": {"eos_token": "<|im_start|>"}},
        None,
        "a text ends with '<|im_start|>' (1), the chat template ends a turn with '<|im_end|>' (2)",
        "train",
        True,
    ),
    "eos as an object, no generation config": (
        SMOL,
        {
            "tokenizer_config.json": {"eos_token": {"content": "<|endoftext|>"}},
            "generation_config.json": {"eos_token_id": None},
            "config.json": {"eos_token_id": None},
        },
        None,
        "a text ends with '<|endoftext|>' (0), the chat template ends a turn with '<|im_end|>' (2)",
        "train",
        True,
    ),
    "Llama 3 as first published": (
        "Llama-3.1-8B-Instruct",
        {
            "tokenizer_config.json": {"eos_token": "<|end_of_text|>"},
            "generation_config.json": {"eos_token_id": 128001},
        },
        None,
        "template ends a turn with '<|eot_id|>' (128009), and generation_config.json stops only at 128001",
        "",
        True,
    ),
    "base model with a chat template": (
        QWEN,
        {
            "tokenizer_config.json": {"eos_token": "<|endoftext|>"},
            "generation_config.json": {"eos_token_id": 151643},
            "config.json": {"eos_token_id": 151643},
        },
        None,
        "with '<|im_end|>' (151645), and generation_config.json stops only at 151643 (<|endoftext|>)",
        "",
        True,
    ),
    "config after the vocabulary was changed": (
        "pythia-160m",
        {"generation_config.json": {"eos_token_id": 2}, "config.json": {"eos_token_id": 2}},
        None,
        "a text ends with '<|endoftext|>' (0), generation_config.json stops only at 2",
        "",
        True,
    ),
    "eos that no vocabulary has": (
        "gpt2",
        {"tokenizer_config.json": {"eos_token": "</s>"}},
        None,
        "end-of-text token '</s>' of",
        "train",
        False,
    ),
    "pad added and not resized": (
        CHAT,
        {
            "tokenizer_config.json": {
                "pad_token": "[PAD]",
                "added_tokens_decoder": {"32000": {"content": "[PAD]"}},
            },
            "tokenizer.json": {
                "added_tokens": [PAD],
                "model": {"type": "BPE", "vocab": {"<unk>": 0, "<s>": 1, "</s>": 2}, "merges": []},
            },
            "added_tokens.json": {"[PAD]": 32000},
        },
        None,
        "the embedding has 32000 rows, and the tokenizer has tokens beyond them: pad_token '[PAD]' (32000)",
        "use",
        True,
    ),
    "template with tokens beyond": (
        CHAT,
        {
            "tokenizer_config.json": {"chat_template": public.CHATML},
            "tokenizer.json": {
                "added_tokens": [{"id": 32001, "content": "<|im_end|>", **PLAIN}],
                "model": {"type": "BPE", "vocab": {"</s>": 2}, "merges": []},
            },
        },
        None,
        "'<|im_end|>' (32001) of the chat template",
        "use",
        False,
    ),
    "two ids for a token": (
        SMOL,
        {"tokenizer_config.json": {"added_tokens_decoder": {"7": {"content": "<|im_end|>"}}}},
        None,
        "have other ids in tokenizer_config.json than in tokenizer.json, first '<|im_end|>': 7 and 2",
        "train",
        True,
    ),
    "shrunken context": (
        "Llama-3.1-8B-Instruct",
        {"config.json": {"max_position_embeddings": 4096}},
        None,
        "scales positions from 8192 tokens (original_max_position_embeddings) to only 4096",
        "",
        False,
    ),
    "tokenizer stops earlier": (
        SMOL,
        {"tokenizer_config.json": {"model_max_length": 512}},
        None,
        "at most 512 tokens (model_max_length)",
        "",
        True,
    ),
    "sampling settings alone": (
        CHAT,
        {"generation_config.json": {"do_sample": None}},
        None,
        "generation_config.json has temperature=0.6, top_p=0.9 without do_sample=true",
        "",
        True,
    ),
    "architecture of another type": (
        CHAT,
        {"config.json": {"architectures": ["MistralForCausalLM"]}},
        None,
        "the model_type 'llama', by which transformers reads it, and the architecture 'MistralForCausalLM'",
        "export",
        False,
    ),
    "a layer fewer": (
        CHAT,
        {"config.json": {"num_hidden_layers": 31}},
        None,
        "has 31 layers, the weights are those of 32",
        "use",
        True,
    ),
    "a layer more, other name": (
        "gpt2",
        {"config.json": {"n_layer": 13}},
        None,
        "has 13 layers, the weights are those of 12",
        "use",
        True,
    ),
    "a layer lost": (
        CHAT,
        {},
        lambda t: {n: v for n, v in t.items() if ".layers.3." not in n},
        "the weights of layer 3 are missing",
        "use",
        False,
    ),
    "a tensor lost": (
        CHAT,
        {},
        lambda t: {n: v for n, v in t.items() if n != UP},
        "layer 3 lacks mlp.up_proj.weight (1 in all)",
        "use",
        False,
    ),
    "integers": (
        CHAT,
        {},
        lambda t: t | {UP: ("I64", [1])},
        f"1 weights are stored as integers and config.json has no quantization_config, first {UP}",
        "use",
        False,
    ),
    "vocab_size": (
        SMOL,
        {"config.json": {"vocab_size": 49000}},
        None,
        "vocab_size=49000, model.embed_tokens.weight has 49152 rows",
        "use",
        True,
    ),
    "no output matrix": (
        SMOL,
        {"config.json": {"tie_word_embeddings": False}},
        None,
        "the files have no output matrix of their own",
        "use",
        True,
    ),
    "trunk": (
        SMOL,
        {"config.json": {"tie_word_embeddings": False, "architectures": ["LlamaModel"]}},
        None,
        "a LlamaModel, the trunk of a language model without its output matrix",
        "use",
        False,
    ),
    "output matrix beside a tied one": (
        SMOL,
        {},
        lambda t: t | {"lm_head.weight": ("F32", [49152, 64])},
        "tie_word_embeddings=true, and lm_head.weight is another matrix",
        "compress",
        True,
    ),
    "packed, it says": (
        SMOL,
        {"config.json": {"quantization_config": {"quant_method": "awq", "bits": 4}}},
        None,
        "config.json says that the weights are packed by awq, and no tensor is a qweight",
        "use",
        True,
    ),
    "template that ends in the middle": (
        SMOL,
        {"tokenizer_config.json": {"chat_template": "{% for m in messages %}{{ m.content }}"}},
        None,
        "the chat template cannot be read: TemplateSyntaxError: Unexpected end of template",
        "use",
        False,
    ),
    "special_tokens_map.json of an earlier model": (
        SMOL,
        {
            "special_tokens_map.json": {"eos_token": "<|im_start|>"},
            "tokenizer_config.json": {"added_tokens_decoder": None},
        },
        None,
        "name different tokens: eos_token '<|im_start|>' and '<|im_end|>'. transformers goes by the first",
        "train",
        True,
    ),
    "special_tokens_map.json with an unknown token": (
        SMOL,
        {
            "special_tokens_map.json": {"eos_token": "<other>"},
            "tokenizer_config.json": {"added_tokens_decoder": None},
        },
        None,
        "name different tokens: eos_token '<other>' and '<|im_end|>'. transformers goes by the first",
        "train",
        True,
    ),
    "padding behind the embedding": (
        SMOL,
        {"config.json": {"pad_token_id": 49152}},
        None,
        "config.json says pad_token_id=49152, and the embedding has 49152 rows",
        "use",
        True,
    ),
    "dtype": (
        SMOL,
        {"config.json": {"torch_dtype": "float32"}},
        None,
        "says torch_dtype=float32, the weights are stored as bfloat16",
        "",
        True,
    ),
}


@pytest.mark.parametrize(
    ("model", "changes", "tensors", "said", "refused", "mends"), FAULTS.values(), ids=FAULTS
)
def test_each_contradiction_is_found_and_its_command_mends_a_copy(
    folder, tmp_path, model, changes, tensors, said, refused, mends
):
    made = folder(model, changes, tensors or (lambda given: given))
    told = [found.problem(made) for found in findings(made) if said in found.what]
    assert len(told) == 1, [found.what for found in findings(made)]
    uses = {
        "use": faults(made),
        "train": refusals(made, TRAIN),
        "export": refusals(made, EXPORT),
        "compress": refusals(made, COMPRESS),
        "": notes(made),
    }
    assert any(said in str(one) for one in uses[refused])
    if not mends:
        assert told[0].fix
        assert "ptx mend" not in told[0].fix
        return
    words = shlex.split(told[0].fix.removeprefix("type: "))
    assert words[:2] == ["ptx", "mend"]
    before = {file.name: file.read_bytes() for file in made.glob("*.json")}
    command = [sys.executable, "-m", "ptx", *words[1:]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout
    assert {file.name: file.read_bytes() for file in made.glob("*.json")} == before
    assert findings(tmp_path / "my model-mended") == ()


def test_an_index_that_does_not_fit_its_files_is_found(folder):
    made = folder(SMOL)
    named = dict.fromkeys(public.tensors_of(public.MODELS[SMOL][0]), "model.safetensors")
    index = made / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": named}))
    assert findings(made) == ()
    index.write_text(json.dumps({"weight_map": named | {"lost": "model.safetensors"}}))
    assert "names 1 tensor that is not in the files it says, first lost" in str(faults(made)[0])
    named.pop(UP)
    index.write_text(json.dumps({"weight_map": named}))
    assert f"1 tensor that model.safetensors.index.json does not name, first {UP}" in str(faults(made)[0])


def test_weights_in_one_file_and_once_more_in_shards_are_found(folder):
    made = folder(SMOL)
    shard = "model-00001-of-00001.safetensors"
    shutil.copy(made / "model.safetensors", made / shard)
    named = dict.fromkeys(public.tensors_of(public.MODELS[SMOL][0]), shard)
    (made / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))
    assert "both hold the model; transformers reads the first" in str(faults(made)[0])
    (made / "model.safetensors").unlink()
    assert findings(made) == ()


def test_an_identical_output_matrix_beside_a_tied_one_is_no_contradiction(folder):
    made = folder(SMOL, {}, lambda given: given | {"lm_head.weight": ("BF16", [49152, 64])})
    assert findings(made) == ()


def test_a_folder_that_cannot_be_read_at_all_is_left_to_the_other_checks(tmp_path):
    for name, text in (
        ("config.json", "[1"),
        ("tokenizer.json", '{"added_tokens": 3}'),
        ("tokenizer_config.json", "{}"),
    ):
        (tmp_path / name).write_text(text)
    assert findings(tmp_path) == ()
    shutil.rmtree(tmp_path)
