"""The export step: write the file, read it back with two readers, compare, and keep the smallest that passes.

transformers reads it first, which takes seconds; what is near the model there is compared as llama.cpp serves
it, and that decides.

A type that is too far from the model is followed by mixtures of larger ones: what each type would cost in
each matrix is predicted from one backward pass (:mod:`ptx.lm.serving.sensitivity`).
"""

from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from torch import Tensor

from ptx import ModelRef, Run
from ptx.lm.load import weights_of
from ptx.lm.serving.fidelity import Fidelity, logits_of
from ptx.lm.serving.mixed import Menu, Search, predicted
from ptx.lm.serving.reference import Reference
from ptx.lm.serving.sensitivity import priced
from ptx.lm.serving.tries import Tried, Try, check_tried, formats_of, smallest_that_passes
from ptx.models.inspection import inspect
from ptx.models.package import write_package
from ptx_gguf import Gguf
from ptx_gguf.files import block_of, context_of, write
from ptx_gguf.model import FILE, STEPWISE, GgufLanguageModel
from ptx_gguf.modelfile import FILE as MODELFILE
from ptx_gguf.modelfile import write_modelfile
from ptx_gguf.splits import check_splits, differing
from ptx_gguf.tensors import read_into

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SERVE = "llama-server -m {folder}/model.gguf"
INSTEAD = "runtime.type=q8_0 or a larger runtime.max_perplexity_ratio"
BLOCK = 32  # weights that share a scale, in all of them
#: what a matrix may have instead of the type that was asked for, by bits per weight
LARGER = ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0")


class ReadBack:
    """A copy of the model with the weights of the file, with the one method that a comparison needs."""

    def __init__(self, folder: Path, model: PreTrainedModel) -> None:
        self.network = copy.deepcopy(model)
        read_into(self.network, folder / FILE)

    def logits(self, rows: Sequence[Sequence[int]]) -> Iterator[Any]:
        """Return the scores of the next token after each token, row by row."""
        ask = logits_of(self.network)
        return (ask(row) for row in rows)


def export(run: Run, config: Gguf, model: ModelRef) -> ModelRef:
    """Write ``model`` as GGUF below ``run.folder``, read it back and compare.

    Raises:
        StepError: the file cannot be read back, or does not equal the model (with the figures).
    """
    reference = Reference.of(run, model, config.context)
    export = Export(run, config, model, reference)
    tried = smallest_that_passes(export.tries(), export.most, config.tries)
    read = " on llama.cpp" if tried.kept.name in export.read_back else ", read back,"
    check_tried(tried, f"the {tried.kept.name} file{read}", export.most, INSTEAD)
    return export.finish(tried)


@dataclass
class Export:
    """One export, and what its tries share."""

    run: Run
    config: Gguf
    model: ModelRef
    reference: Reference
    splits: str = ""
    kept: dict[str, list[str]] = field(default_factory=dict)  # by try: matrices in f16
    read_back: dict[str, Fidelity] = field(default_factory=dict)  # of the tries compared on llama.cpp

    @property
    def most(self) -> float:
        """The largest allowed perplexity, divided by the model's."""
        return self.config.max_perplexity_ratio if self.config.type.startswith("q") else 1.001

    def tries(self) -> Iterator[list[Try]]:
        """The type that was asked for; then mixtures of larger ones, and the largest everywhere."""
        yield [self.written(self.config.type)]
        if not self.config.type.startswith("q"):
            return
        menu = self.menu()
        search = Search(menu, math.log(self.config.max_perplexity_ratio))
        for place, plan in enumerate(search.plans(), 1):
            expected = predicted(menu, plan) * search.off
            made = self.written(f"mixed {place} for {expected:.2g} nats", plan, expected)
            yield [made]
            search.learn(plan, made.distance)
        yield [self.written("q8_0", dict.fromkeys(menu, "q8_0"))]

    def menu(self) -> Menu:
        """The bytes and the predicted cost of each type for each matrix."""
        network = self.reference.network
        bits = {kind: GGML_QUANT_SIZES[GGMLQuantizationType[kind.upper()]] for kind in LARGER}
        tied = network.config.get_text_config().tie_word_embeddings
        layers: dict[str, list[str]] = {}
        formats: dict[str, dict[str, float]] = {}
        for name, module in network.named_modules():
            if not isinstance(module, torch.nn.Linear | torch.nn.Embedding) or module.weight.shape[1] % BLOCK:
                continue
            first = name.endswith("lm_head") and tied
            key = next(iter(layers)) if first else f"{name}.weight"
            layers.setdefault(key, []).append(name)
            formats[key] = {
                kind: module.weight.numel() / block * size
                for kind, (block, size) in bits.items()
                if size / block >= bits[self.config.type][1] / bits[self.config.type][0]
            }
        return priced(network, self.reference.further_texts(), layers, formats, _rounded)

    def written(self, name: str, plan: Mapping[str, str] | None = None, expected: float = math.nan) -> Try:
        """Write the file in a folder of its own, and compare what is read from it with the model.

        Where transformers reads what is near the model, llama.cpp is asked as well.
        """
        folder = self.run.folder / f"built-{name.replace(' ', '-')}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        vocabulary = tokenizer_folder(self.run, self.model, self.reference.tokenizer)
        network = self.reference.network
        self.splits, self.kept[name] = write(network, vocabulary, folder / FILE, self.config.type, plan)
        found = self.reference.compare(ReadBack(folder, network))  # type: ignore[arg-type]
        size = (folder / FILE).stat().st_size
        made = Try(name, folder, size, found, formats_of(plan) if plan else name, expected)
        self.run.say(made.line())
        if not made.passes(self.most):
            return made
        self.read_back[name] = found
        served = replace(made, fidelity=self.served(folder))
        self.run.say(f"on llama.cpp: {served.fidelity.figures}")
        return served

    def served(self, folder: Path) -> Fidelity:
        """Compare what llama.cpp serves with the model."""
        self.reference.tokenizer.save_pretrained(folder)
        write_package(folder, "gguf", self.model.digest, limits(self.reference.network))
        lm = self.opened(folder)
        try:
            return self.reference.compare_drawn(lm) if self.drawn else self.reference.compare(lm)
        finally:
            lm.close()

    @property
    def drawn(self) -> bool:
        """Whether whole distributions take a request for each token."""
        return self.config.scoring == STEPWISE

    def opened(self, folder: Path) -> GgufLanguageModel:
        """Open a package on llama.cpp."""
        return GgufLanguageModel(folder, self.config.context, scoring=self.config.scoring)

    def finish(self, tried: Tried) -> ModelRef:
        """Try the file that is kept on a long text and on boundaries of words, and describe the package.

        Raises:
            StepError: llama.cpp serves another model beyond a window or boundary, or splits text otherwise.
        """
        run, config, kept = self.run, self.config, tried.kept
        if stays := self.kept[kept.name]:
            kind = config.type
            run.say(
                f"{len(stays)} matrices stay f16, since {kind} has blocks of {block_of(kind)}: {stays[:3]}"
            )
        folder = kept.folder.rename(run.folder / "model")
        found = kept.fidelity
        facts = self.facts(tried) | {"fidelity": [vars(found.kl), vars(found.flips)]}
        write_package(folder, "gguf", self.model.digest, facts | self.further(folder, found))
        package = ModelRef.of(folder, "package")
        read = self.read_back[kept.name].kl.value
        run.event(
            "export", pre_tokenizer=self.splits, kept_f16=len(stays), read_back_kl=read, ways=tried.rows()
        )
        sizes = {"bytes": float(package.bytes), "bytes_before": float(self.model.bytes)}
        run.log({**found.numbers(), **sizes}, 1, 1)
        return package

    def further(self, folder: Path, found: Fidelity) -> dict[str, Any]:
        """Compare beyond the boundaries of the configuration, and how text is split; describe for Ollama."""
        what = f"the {self.config.type} file on llama.cpp"
        lm = self.opened(folder)
        try:
            long = self.reference.check_long(lm, found, what, drawn=self.drawn)
            texts = differing(lm, self.reference.tokenizer)
            self.describe_for_ollama(folder, lm)
        finally:
            lm.close()
        if line := check_splits(texts):
            self.run.say(line)
        return {"long_text": long, "split_otherwise": texts}

    def describe_for_ollama(self, folder: Path, lm: GgufLanguageModel) -> None:
        """Write the Modelfile beside the file."""
        lacks = write_modelfile(
            folder,
            self.reference.network.generation_config.to_dict(),
            [str(self.reference.tokenizer.decode([end])) for end in lm.ends],
            lm.max_length,
            begins=lm.begins,
        )
        self.run.say(f"for Ollama: {MODELFILE} {lacks}".rstrip())

    def facts(self, tried: Tried) -> dict[str, Any]:
        """The further facts in ``package.json``."""
        return {
            "precision": self.config.type,
            "parameters": inspect(weights_of(self.model.path)).parameters,
            "serve": SERVE,
            "made_with": {name: version(name) for name in ("gguf", "xllamacpp")},
            "pre_tokenizer": self.splits,
            "kept_f16": self.kept[tried.kept.name],
            "formats": tried.kept.formats,
            "tries": tried.rows(),
            **limits(self.reference.network),
        }


def _rounded(_layer: str, kind: str, weight: Tensor) -> Tensor:
    wanted = GGMLQuantizationType[kind.upper()]
    return torch.from_numpy(gguf.dequantize(gguf.quantize(weight.float().numpy(), wanted), wanted))


def limits(network: PreTrainedModel) -> dict[str, Any]:
    """Return the limits that a server of the package must know."""
    config = network.config.get_text_config()
    return {
        "context_length": context_of(config),
        "vocab_size": config.vocab_size,
        "eos_token_id": network.generation_config.eos_token_id,
    }


def tokenizer_folder(run: Run, model: ModelRef, tokenizer: PreTrainedTokenizerBase) -> Path:
    """Return a folder with the tokenizer's files, which ``gguf`` reads.

    An adapter's tokenizer is with its base or beside it, so it is saved to a folder first.
    """
    if (model.path / "tokenizer.json").is_file():
        return model.path
    folder = run.checkpoints / "tokenizer"
    tokenizer.save_pretrained(folder)
    return folder
