import json

from ptx import RunConfig
from ptx_gguf import Gguf, ptx_validate


def test_what_cannot_be_written_is_refused_with_all_reasons(chat_model, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for file in chat_model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "architectures": ["OPTForCausalLM"],
        "rope_parameters": {"rope_type": "yarn", "rope_theta": 1.0},
    }
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer | {"pre_tokenizer": None}))
    found = [str(problem) for problem in ptx_validate(RunConfig(runtime=Gguf()), folder)]
    assert [line.partition(" (")[0] for line in found[:2]] == [
        "runtime=gguf cannot write OPTForCausalLM",
        "runtime=gguf cannot write rope scaling 'yarn'",
    ]
    assert "byte-level BPE" in found[2]
    assert ptx_validate(RunConfig(runtime=Gguf()), chat_model) == []
    assert "serves on the CPU" in str(ptx_validate(RunConfig(runtime=Gguf(), device="cuda"), chat_model)[0])
