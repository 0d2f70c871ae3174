"""What the teacher says of the student's texts, asked once for all runs that share it, or in every batch.

Its distributions follow from the texts, the teacher and how many words are kept; not from temperature, loss
weights, learning rate, seed or the student. So a sweep over those asks once: they are a product of their own
in the store (:meth:`ptx.Run.product`).

Every text is read by itself, without padding, as in :mod:`ptx.lm.training.reference`: in a batch the last
digits would depend on the company, and so on the seed and the batch size. ``cache_teacher=false`` therefore
gives the same losses to the last digit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ptx import ModelRef, Run, machine
from ptx.files import digest_of, read_json, write_json
from ptx.lm.load import dtype_of, load_model
from ptx.lm.training.reference import weights_digest
from ptx_distill.topk import Targets, targets

#: count of changes in how the numbers are computed
VERSION = 1
LIBRARIES = ("torch", "transformers")
PART = 2**26  # numbers in a file: 256 MB


class Text(NamedTuple):
    """A text as both models read it, and the places of the tokens that are learnt; 0 is never one: nothing
    predicts the first token.

    Both as the bytes of int32 numbers: a data set is held in memory as its keys.
    """

    ids: bytes
    learnt: bytes

    @property
    def tokens(self) -> int:
        """How many tokens are learnt."""
        return len(self.learnt) // 4


def text_of(ids: Sequence[int], learnt: Sequence[int]) -> Text:
    """A text of these tokens."""
    return Text(np.asarray(ids, np.int32).tobytes(), np.asarray(learnt, np.int32).tobytes())


def texts_of(batch: dict[str, Any]) -> list[Text]:
    """The texts of a padded batch, as TRL's collator makes it."""
    found = []
    for ids, real, labels in zip(
        *(batch[name].tolist() for name in ("input_ids", "attention_mask", "labels")), strict=True
    ):
        length = sum(real)
        found.append(text_of(ids[:length], [place for place in range(1, length) if labels[place] != -100]))
    return found


def _numbers(packed: bytes) -> Tensor:
    return torch.from_numpy(
        np.frombuffer(packed, np.int32).astype(np.int64) if packed else np.empty(0, np.int64)
    )


class Asked:
    """A teacher in memory, loaded when it is first asked. ``words`` is the size of the vocabulary that both
    models have.
    """

    def __init__(self, run: Run, teacher: ModelRef, words: int, k: int) -> None:
        self.run, self.ref, self.words, self.k = run, teacher, words, k
        self._network: Any = None

    @property
    def network(self) -> Any:
        """The model, ready to be asked."""
        if self._network is None:
            network = load_model(self.ref, "auto", self.run.device)
            network = network.merge_and_unload() if hasattr(network, "merge_and_unload") else network
            self._network = network.eval().requires_grad_(False)
        return self._network

    def release(self) -> None:
        """Free its memory; it is loaded again when it is asked again."""
        self._network = None

    def targets(self, texts: Sequence[Text]) -> Targets:
        """What it says at all learnt places of the texts, one after the other."""
        return joined([self.read(text) for text in texts])

    def read(self, text: Text) -> Targets:
        """What it says of one text."""
        ids = _numbers(text.ids).to(self.network.device)[None]  # (1, T)
        before = _numbers(text.learnt).to(ids.device) - 1  # (N,)
        with torch.no_grad():
            scores = self.network(input_ids=ids, use_cache=False).logits[0, before, : self.words]  # (N, V)
            return targets(scores, self.k)


class Stored:
    """The same from the store, where the teacher is asked if it lacks them; it is not loaded otherwise."""

    def __init__(self, asked: Asked, texts: Iterable[Text]) -> None:
        distinct = sorted(set(texts))
        run = asked.run
        self.device = run.device
        folder = run.product(
            "teacher", ingredients(asked, distinct), lambda folder: build(asked, distinct, folder)
        )
        asked.release()
        places = read_json(folder / "places.json")
        self.places = {text: (part, start) for text, (part, start) in zip(distinct, places, strict=True)}
        self.files = [safe_open(file, framework="pt") for file in sorted(folder.glob("*.safetensors"))]

    def targets(self, texts: Sequence[Text]) -> Targets:
        """What it said at all learnt places of the texts, one after the other."""
        return Targets(
            *(
                None if part is None else part.to(self.device)
                for part in joined([self._read(text) for text in texts])
            )
        )

    def _read(self, text: Text) -> Targets:
        part, start = self.places[text]
        file, there = self.files[part], set(self.files[part].keys())
        rows = slice(start, start + text.tokens)
        return Targets(*(file.get_slice(name)[rows] if name in there else None for name in Targets._fields))


def joined(found: Sequence[Targets]) -> Targets:
    """Targets of several texts, one after the other."""
    return Targets(*(None if parts[0] is None else torch.cat(parts) for parts in zip(*found, strict=True)))


def ingredients(asked: Asked, texts: list[Text]) -> dict[str, Any]:
    """All that decides what the teacher says: the key. Nothing of the student, or of how it learns."""
    run = asked.run
    return {
        "version": VERSION,
        "weights": weights_digest(asked.ref),
        "tokens": digest_of([hashlib.sha256(text.ids).hexdigest() for text in texts]),
        "learnt": digest_of([hashlib.sha256(text.learnt).hexdigest() for text in texts]),
        "texts": len(texts),
        "words": asked.words,
        "k": asked.k if 0 < asked.k < asked.words else asked.words,
        "dtype": str(dtype_of("auto", run.device)).removeprefix("torch."),
        "matmul": torch.get_float32_matmul_precision(),
        "device": run.device,
        "libraries": machine.versions(LIBRARIES),
    }


def build(asked: Asked, texts: list[Text], folder: Path) -> None:
    """Ask about every text and write the answers: parts of at most PART numbers, and where each text lies."""
    places: list[tuple[int, int]] = []
    tokens = sum(text.tokens for text in texts)
    kept = asked.k if 0 < asked.k < asked.words else asked.words
    asked.run.say(
        f"the teacher reads {len(texts)} texts once for all runs that share them: {tokens} tokens, {kept}"
        " words for each"
    )
    shown = max(len(texts) // 100, 1)
    for part, (first, found) in enumerate(_parts(asked, texts, kept)):
        start = 0
        for done, answer in enumerate(found, first + 1):
            places.append((part, start))
            start += len(answer.values)
            if done % shown == 0:
                asked.run.console.progress(f"{asked.run.label} teacher", {}, done, len(texts))
        whole = joined(found)._asdict()
        save_file(
            {name: part.cpu().contiguous() for name, part in whole.items() if part is not None},
            folder / f"part-{part:05d}.safetensors",
        )
    write_json(folder / "places.json", places)


def _parts(asked: Asked, texts: list[Text], kept: int) -> Iterator[tuple[int, list[Targets]]]:
    """The answers in parts, each with the number of its first text."""
    first, found, numbers = 0, list[Targets](), 0
    for place, text in enumerate(texts):
        if found and numbers + kept * text.tokens > PART:
            yield first, found
            first, found, numbers = place, [], 0
        found.append(asked.read(text))
        numbers += kept * text.tokens
    if found:
        yield first, found


def hidden_at(states: Sequence[Tensor], mask: Tensor) -> list[Tensor]:
    """Hidden states (B, T, H), one per layer, where tokens are learnt: (N, H) each."""
    return [state[:, :-1][mask] for state in states]
