"""A mended copy; what is mended: test_contradictions.py."""

import json

import pytest

from ptx.errors import ConfigError
from ptx.models.contradictions import findings
from ptx.models.mend import mend
from tests.ptx.models import public


def test_a_copy_shares_the_weights_and_nothing_else_with_the_original(tmp_path):
    folder = public.write(tmp_path / "model", "Llama-2-7b-chat-hf")
    (folder / "generation_config.json").write_text(json.dumps({"temperature": 0.9, "eos_token_id": 2}))
    mended, left = mend(folder, tmp_path / "deep" / "copy")
    assert (len(mended), left) == (1, [])
    same = (tmp_path / "deep" / "copy" / "model.safetensors").samefile(folder / "model.safetensors")
    assert same
    assert findings(folder) != ()
    assert (
        json.loads((tmp_path / "deep" / "copy" / "generation_config.json").read_text())["do_sample"] is True
    )


def test_an_existing_folder_is_not_written_over(tmp_path):
    folder = public.write(tmp_path / "model", "gpt2")
    with pytest.raises(ConfigError, match="model exists already; name another folder with out="):
        mend(folder, folder)
