"""The export script for the other environment: ``PYTHON elsewhere.py SPEC.json``. It imports nothing of ptx.

optimum-intel traces the model into OpenVINO's format, with its cache inside, and NNCF rounds the weights.
What they do by default, and what is done about it:

- OpenVINO's converter and NNCF send usage data unless the environment says, before they are imported, that
  this is no interactive session
- a model of more than 1e9 weights is rounded to 8 bits by default: the precision is always stated
- ``main_export`` accepts a quantisation and ignores it: the model class, which applies it, is used
- importing a torchvision that was built for another torch fails: a text model needs none
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

os.environ.update(CI="true", NNCF_CI="1")
sys.modules["torchvision"] = None  # type: ignore[assignment]

GRAPH = ("openvino_model.xml", "openvino_model.bin")
TOKENS = 48
WEIGHTS = (".safetensors", ".bin", ".index.json")  # endings of weight files, which are not copied
PINNED = ("optimum-intel", "optimum", "openvino", "nncf", "transformers", "torch")


def main(spec: dict[str, Any]) -> None:
    """Write the package of ``spec["model"]`` into ``spec["folder"]``."""
    from importlib.metadata import version

    from optimum.intel import OVModelForCausalLM

    source, folder = Path(spec["model"]), Path(spec["folder"])
    work = folder.parent / "openvino"
    rounded = rounding(spec["config"], source, spec["seed"])
    made = OVModelForCausalLM.from_pretrained(
        str(source),
        export=True,
        compile=False,
        load_in_8bit=False,
        quantization_config=rounded,
        local_files_only=True,
        trust_remote_code=False,
    )
    made.save_pretrained(work)
    for name in GRAPH:
        shutil.move(work / name, folder / name)
    shutil.rmtree(work)
    for file in source.iterdir():
        if (
            file.is_file()
            and not file.name.endswith(WEIGHTS)
            and file.name not in ("README.md", "build.json")
        ):
            shutil.copyfile(file, folder / file.name)
    (folder / "package.json").write_text(json.dumps({"writer": {name: version(name) for name in PINNED}}))


def rounding(config: dict[str, Any], source: Path, seed: int) -> Any:
    """Return NNCF's settings; None for float32."""
    from optimum.intel import OVWeightQuantizationConfig

    if config["precision"] == "fp32":
        return None
    if config["precision"] == "int8":
        return OVWeightQuantizationConfig(bits=8, sym=config["symmetric"])
    algorithm = config["algorithm"]
    given: dict[str, Any] = {"quant_method": "awq"} if algorithm == "awq" else {}
    if algorithm in ("scale_estimation", "gptq"):
        texts = own_texts(source, config["calibration_rows"], seed)
        given = {algorithm: True, "dataset": texts, "tokenizer": str(source), "num_samples": len(texts)}
    return OVWeightQuantizationConfig(
        bits=4,
        sym=config["symmetric"],
        group_size=config["group_size"],
        group_size_fallback="adjust",
        ratio=1.0,
        **given,
    )


def own_texts(source: Path, count: int, seed: int) -> list[str]:
    """Return texts that the model writes at temperature 1 from its beginning-of-text token."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(seed + 1)  # not the texts on which ptx compares the package with the model
    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True, trust_remote_code=False)
    network = AutoModelForCausalLM.from_pretrained(
        source, local_files_only=True, trust_remote_code=False, dtype=torch.float32
    ).eval()
    start = torch.tensor([[network.config.bos_token_id or network.config.eos_token_id or 0]] * count)
    with torch.inference_mode():
        ids = network.generate(
            start,
            attention_mask=torch.ones_like(start),
            do_sample=True,
            top_k=0,
            min_new_tokens=TOKENS,
            max_new_tokens=TOKENS,
        )
    return [str(text) for text in tokenizer.batch_decode(ids[:, 1:])]


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
