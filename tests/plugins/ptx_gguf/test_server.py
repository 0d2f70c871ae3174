"""llama.cpp's server in this process: what it cannot open, and whom it answers."""

import secrets
import shutil
import urllib.error

import pytest

from ptx import StepError
from ptx_gguf.model import FILE, GgufLanguageModel
from ptx_gguf.server import post, serve


def test_it_answers_on_this_machine_those_who_have_the_key(f32_package):
    key = secrets.token_hex()
    server = serve(f32_package / FILE, 64, 1, key)
    assert server.listening_address.startswith("http://127.0.0.1:")
    assert post(server, "/tokenize", {"content": "a"}, key)["tokens"]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        post(server, "/tokenize", {"content": "a"}, "another")


def test_a_file_that_llama_cpp_cannot_open_is_named(f32_package, tmp_path):
    shutil.copytree(f32_package, tmp_path / "broken")
    (tmp_path / "broken" / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(StepError, match=r"llama\.cpp cannot open .*broken/model.gguf"):
        GgufLanguageModel(tmp_path / "broken", context=32)
