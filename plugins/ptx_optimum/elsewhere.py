"""The export script for the other environment: ``PYTHON elsewhere.py SPEC.json``. It imports nothing of ptx.

optimum-onnx traces the model with its cache as inputs and outputs, and passes the graph to ONNX Runtime's
quantiser. Two things would go wrong silently:

- transformers 5 writes ``rope_parameters``; transformers 4 reads ``rope_theta`` and uses 10000 where it is
  missing: ``rope_theta`` is written too
- ONNX Runtime's calibration cannot run a loop: the texts are read with an empty cache, so it sees no cached
  keys. Therefore the products inside attention are not quantised (only ``MatMul`` by a weight is)
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

GRAPH = "model.onnx"
TOKENS = 48
LEFT = (".safetensors", ".bin", ".index.json")  # endings of weight files, which are not copied
#: what stays float32 in the ways that are tried after what was asked for
FLOAT = {
    "down projections in float32": ("down_proj",),
    "output layer in float32": ("lm_head",),
    "down projections and output layer in float32": ("down_proj", "lm_head"),
}
PINNED = ("optimum-onnx", "optimum", "onnxruntime", "onnx", "transformers", "torch")


def main(spec: dict[str, Any]) -> None:
    """Write a package of ``spec["model"]`` into ``spec["folder"]``; of what is rounded, all ways to try."""
    from importlib.metadata import version

    config, folder = spec["config"], Path(spec["folder"])
    work = folder.parent / "optimum"
    source = readable(Path(spec["model"]), work / "source")
    graph = traced(source, work / "fp32")
    facts: dict[str, Any] = {"writer": {name: version(name) for name in PINNED}}
    if config["mode"] == "fp32":
        complete(graph, Path(spec["model"]), folder)
    else:
        made = quantised(graph, source, config, spec["seed"], work / "int8")
        facts["ways"] = list(made)
        for n, one in enumerate(made.values()):
            complete(one, Path(spec["model"]), folder / "ways" / str(n))
    shutil.rmtree(work)
    (folder / "package.json").write_text(json.dumps(facts))


def complete(graph: Path, model: Path, folder: Path) -> None:
    """A package: the graph, and the model's files except its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(graph, folder / GRAPH)
    for file in model.iterdir():
        if file.is_file() and not file.name.endswith(LEFT) and file.name not in ("README.md", "build.json"):
            shutil.copyfile(file, folder / file.name)


def readable(model: Path, folder: Path) -> Path:
    """Return a folder that transformers 4 can read.

    It has links to the model's files, and a configuration with the rotary base at its old place.
    """
    folder.mkdir(parents=True)
    for file in model.iterdir():
        if file.name != "config.json":
            (folder / file.name).symlink_to(file.absolute())
    described = json.loads((model / "config.json").read_text())
    rope = described.pop("rope_parameters", None) or {}
    if rope.get("rope_type", "default") != "default":
        described["rope_scaling"] = {name: value for name, value in rope.items() if name != "rope_theta"}
    if "rope_theta" in rope:
        described["rope_theta"] = rope["rope_theta"]
    (folder / "config.json").write_text(json.dumps(described))
    return folder


def traced(source: Path, folder: Path) -> Path:
    """Return the float32 graph, with the cache as inputs and outputs."""
    from optimum.exporters.onnx import main_export

    main_export(
        str(source),
        output=folder,
        task="text-generation-with-past",
        device="cpu",
        do_validation=False,
        no_post_process=True,
        framework="pt",
    )
    return folder / GRAPH


def quantised(graph: Path, source: Path, config: dict[str, Any], seed: int, folder: Path) -> dict[str, Path]:
    """Graphs with 8-bit weights and activations in products by a weight, by way, the smallest first."""
    from onnxruntime.quantization import CalibrationMethod
    from optimum.onnxruntime import ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig, CalibrationConfig

    quantizer, static = (
        ORTQuantizer.from_pretrained(graph.parent, file_name=graph.name),
        config["mode"] == "static",
    )
    ranges = None
    if static:
        rows = Rows(own_text(source, config["calibration_rows"], seed), graph)
        method = CalibrationConfig("own text", "", "", len(rows), CalibrationMethod.MinMax)
        augmented = graph.parent / "augmented.onnx"
        ranges = quantizer.fit(rows, method, augmented, operators_to_quantize=["MatMul"])
    made = {}
    for n, (name, (per_channel, chosen)) in enumerate(ways(config, products(graph)).items()):
        wanted = AutoQuantizationConfig.avx512_vnni(
            is_static=static, per_channel=per_channel, operators_to_quantize=["MatMul"]
        )
        wanted.nodes_to_quantize = chosen
        out = folder / str(n)
        quantizer.quantize(
            quantization_config=wanted, save_dir=out, file_suffix="", calibration_tensors_range=ranges
        )
        made[name] = out / GRAPH
    first = next(iter(made))
    return dict(sorted(made.items(), key=lambda one: (one[0] != first, one[1].stat().st_size)))


def ways(config: dict[str, Any], products: list[str]) -> dict[str, tuple[bool, list[str]]]:
    """By name: whether a matrix has a scale per output, and the products that are rounded.

    Large activations before the last product of a block are what 8 bits hurt the most; then the output layer.
    """
    channel = config["per_channel"]
    found = {"as asked": (channel, products)}
    if not channel:
        found["a scale per output"] = (True, products)
    for name, parts in FLOAT.items():
        found[name] = (True, [one for one in products if not any(part in one for part in parts)])
    different = {name: way for name, way in found.items() if way[1]}
    return dict(list(different.items())[: config["tries"]])


def products(graph: Path) -> list[str]:
    """Return the names of the products by a weight; attention multiplies two activations."""
    import onnx

    held = onnx.load(graph, load_external_data=False).graph
    weights = {tensor.name for tensor in held.initializer}
    weights |= {
        node.output[0]
        for node in held.node
        if node.op_type in ("Transpose", "Identity") and node.input[0] in weights
    }
    return [node.name for node in held.node if node.op_type == "MatMul" and node.input[1] in weights]


class Rows:
    """Texts in the form that the quantiser reads: one by one, with an empty cache."""

    def __init__(self, texts: list[list[int]], graph: Path) -> None:
        import onnxruntime

        self.texts = texts
        self.inputs = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"]).get_inputs()

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Any:
        import numpy as np

        for text in self.texts:
            given = {
                "input_ids": np.array(text),
                "attention_mask": np.ones(len(text), np.int64),
                "position_ids": np.arange(len(text)),
            }
            past = {
                one.name: np.zeros((one.shape[1], 0, one.shape[3]), np.float32)
                for one in self.inputs
                if one.name.startswith("past")
            }
            yield {one.name: (given | past)[one.name] for one in self.inputs}


def own_text(source: Path, count: int, seed: int) -> list[list[int]]:
    """Return texts that the model writes at temperature 1 from its beginning-of-text token."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed + 1)  # not the texts on which ptx compares the package with the model
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
    return [[int(token) for token in row] for row in ids]


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
