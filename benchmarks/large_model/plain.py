"""llm-compressor as its documentation says to call it: ``plain.py MODEL METHOD SAMPLES LENGTH STAMPS TO``.

The calibration tokens are those that ptx draws. ``STAMPS`` becomes a JSON list: when each stage of the
sequential pipeline ended.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.gptq import GPTQModifier
from llmcompressor.modifiers.pruning import SparseGPTModifier
from llmcompressor.pipelines.sequential import pipeline
from transformers import AutoModelForCausalLM, AutoTokenizer

from ptx import get_host
from ptx.data import open_data
from ptx.files import cache_folder
from ptx.lm.compression.oneshot import calibration_batches

MODIFIERS: dict[str, Any] = {
    "sparsegpt": lambda: SparseGPTModifier(sparsity=0.5, targets=["Linear"], ignore=["re:.*lm_head"]),
    "gptq": lambda: GPTQModifier(targets="Linear", scheme="W4A16", ignore=["re:.*lm_head"]),
}


def main(model: str, method: str, samples: str, length: str, stamps: str, to: str) -> None:
    """Compress and save."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    host = get_host()
    value = host.choices["data", "tiny"].config_type()
    data = open_data("tiny", host.first("ptx_resolve", value=value, cache=cache_folder()))
    settings: Any = SimpleNamespace(samples=int(samples), max_length=int(length), skip=[])
    rows = [
        {"input_ids": batch["input_ids"][0].tolist()}
        for batch in calibration_batches(data, tokenizer, settings, 0)
    ]
    times: list[float] = []
    original = pipeline.LifecycleCallbacks

    class Stamped(original):  # type: ignore[misc,valid-type]
        @classmethod
        def sequential_epoch_end(cls, *args: Any, **kwargs: Any) -> Any:
            done = super().sequential_epoch_end(*args, **kwargs)
            times.append(time.time())
            return done

    pipeline.LifecycleCallbacks = Stamped
    network = AutoModelForCausalLM.from_pretrained(model, dtype="float32")
    oneshot(
        model=network,
        tokenizer=tokenizer,
        dataset=Dataset.from_list(rows),
        recipe=[MODIFIERS[method]()],
        num_calibration_samples=len(rows),
        max_seq_length=int(length),
    )
    network.save_pretrained(to, save_compressed=True)
    tokenizer.save_pretrained(to)
    Path(stamps).write_text(json.dumps(times))


if __name__ == "__main__":
    main(*sys.argv[1:])
