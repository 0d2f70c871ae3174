"""The export script for the other environment: ``PYTHON elsewhere.py SPEC.json``. It imports nothing of ptx.

optimum-intel traces the model into OpenVINO's format, with its cache inside, and NNCF rounds the weights.
What they do by default, and what is done about it:

- OpenVINO's converter and NNCF send usage data unless the environment says, before they are imported, that
  this is no interactive session
- a model of more than 1e9 weights is rounded to 8 bits by default: the precision is always stated
- ``main_export`` accepts a quantisation and ignores it: the model class, which applies it, is used
- a model is traced once and saved in float32: the roundings that are tried start there
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
GROUP, SHARES = 32, (0.8, 0.5)  # of what is tried after what was asked for; the rest gets 8 bits
WEIGHTS = (".safetensors", ".bin", ".index.json")  # endings of weight files, which are not copied
PINNED = ("optimum-intel", "optimum", "openvino", "nncf", "transformers", "torch")


def main(spec: dict[str, Any]) -> None:
    """Write a package of ``spec["model"]`` into ``spec["folder"]``; of what is rounded, all ways to try."""
    from importlib.metadata import version

    source, folder, config = Path(spec["model"]), Path(spec["folder"]), spec["config"]
    work = folder.parent / "openvino"
    write(source, work, export=True)
    facts: dict[str, Any] = {"writer": {name: version(name) for name in PINNED}}
    found = ways(config)
    if found:
        facts["ways"] = [name for name, _ in found]
    for n, (_, settings) in enumerate(found):
        out = folder / "ways" / str(n)
        write(work, out, quantization_config=rounding(settings, source, spec["seed"]))
        complete(source, out)
    if not found:
        folder.rmdir()
        work.rename(folder)
        complete(source, folder)
    shutil.rmtree(work, ignore_errors=True)
    (folder / "package.json").write_text(json.dumps(facts))


def ways(config: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The roundings to try, the smallest first, each with its name; none for float32."""
    if config["precision"] == "fp32":
        return []
    found = [("as asked", config)]
    if config["precision"] == "int8":
        found += [("8 bits with zero points", config | {"symmetric": False})] if config["symmetric"] else []
    else:
        if config["group_size"] > GROUP:
            found.append((f"4 bits in groups of {GROUP}", config | {"group_size": GROUP}))
        finest = config | {"group_size": min(config["group_size"], GROUP)}
        found += [(f"4 bits in {share:.0%} of the weights", finest | {"ratio": share}) for share in SHARES]
        whole = {"precision": "int8", "symmetric": False, "algorithm": "rtn"}
        found.append(("8 bits everywhere", config | whole))
    return found[: config["tries"]]


def write(source: Path, out: Path, **options: Any) -> None:
    """Read a model folder or a traced one, round it, and write OpenVINO's files alone."""
    from optimum.intel import OVModelForCausalLM

    made = OVModelForCausalLM.from_pretrained(
        str(source),
        compile=False,
        load_in_8bit=False,
        local_files_only=True,
        trust_remote_code=False,
        **options,
    )
    made.save_pretrained(out)
    del made


def complete(source: Path, folder: Path) -> None:
    """Give OpenVINO's two files the model's own others; what optimum-intel wrote beside them goes."""
    for file in folder.iterdir():
        if file.is_file() and file.name not in GRAPH:
            file.unlink()
    for file in source.iterdir():
        if (
            file.is_file()
            and not file.name.endswith(WEIGHTS)
            and file.name not in ("README.md", "build.json")
        ):
            shutil.copyfile(file, folder / file.name)


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
        ratio=config.get("ratio", 1.0),
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
