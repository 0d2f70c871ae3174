"""The teacher's next-token distributions on the training texts.

They are computed once for all runs that share them, or in every batch. They depend on the texts, the teacher
and the number of words that are kept, but not on temperature, loss weights, learning rate, seed or student.
So they are a product of their own in the store (:meth:`ptx.Run.product`), and a sweep over those computes
them once.

The teacher reads texts in batches that are a function of the texts, as in
:mod:`ptx.lm.training.reference`. With ``speed=exact`` it reads every text alone, without padding; then
``cache_teacher=false`` gives the same losses to the last digit, else to rounding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ptx import ModelRef, Run, Speed, machine
from ptx.files import digest_of, read_json, write_json
from ptx.lm.load import dtype_of, load_model
from ptx.lm.merge import merged
from ptx.lm.serving.scoring import groups, longest_first, padded
from ptx.lm.training.reference import weights_digest
from ptx_distill.topk import Targets, targets

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: count of changes in how the numbers are computed
VERSION = 2
LIBRARIES = ("torch", "transformers")
PART = 2**26  # numbers in a file: 256 MB


class Text(NamedTuple):
    """The token ids of a text, and the positions of the tokens that are trained on.

    Position 0 is never among them, because nothing predicts the first token. Both are stored as the bytes of
    int32 numbers, because texts are keys of a dictionary that holds the whole data set in memory.
    """

    ids: bytes
    learnt: bytes

    @property
    def tokens(self) -> int:
        """The number of tokens that are trained on."""
        return len(self.learnt) // 4


def text_of(ids: Sequence[int], learnt: Sequence[int]) -> Text:
    """A text of these token ids, with these positions to train on."""
    return Text(np.asarray(ids, np.int32).tobytes(), np.asarray(learnt, np.int32).tobytes())


def texts_of(batch: dict[str, Any]) -> list[Text]:
    """The texts of a padded batch from TRL's collator."""
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


class LiveTeacher:
    """A teacher in memory, loaded on first use.

    ``words`` is the size of the vocabulary that both models share, ``k`` the number of words that are kept;
    ``speed`` says how many texts it reads together.
    """

    def __init__(self, run: Run, teacher: ModelRef, words: int, k: int, speed: Speed) -> None:
        self.run, self.ref, self.words, self.k, self.speed = run, teacher, words, k, speed
        self._network: PreTrainedModel | None = None

    @property
    def network(self) -> PreTrainedModel:
        """The model, in evaluation mode and without gradients."""
        if self._network is None:
            network = load_model(self.ref, "auto", self.run.device)
            network = merged(network)
            self._network = network.eval().requires_grad_(False)
        return self._network

    @property
    def kept(self) -> int:
        """The number of words that are kept for each token."""
        return self.k if 0 < self.k < self.words else self.words

    def release(self) -> None:
        """Free its memory; the next use loads it again."""
        self._network = None

    def targets(self, texts: Sequence[Text]) -> Targets:
        """Its distributions at all trained positions of the texts, one text after the other."""
        order = longest_first([text.ids for text in texts])
        found = dict(zip(order, self.read([texts[place] for place in order]), strict=True))
        return joined([found[place] for place in range(len(texts))])

    def read(self, texts: Sequence[Text]) -> Iterator[Targets]:
        """Its distributions at all trained positions of each text; neighbours are read together."""
        rows = [_numbers(text.ids).tolist() for text in texts]
        tokens = self.speed.tokens_of_a_batch(self.run.device)
        vocabulary = self.network.get_input_embeddings().weight.shape[0]
        for places in groups(rows, len(rows), vocabulary, in_order=True, tokens=tokens):
            yield from self._batch([texts[place] for place in places], [rows[place] for place in places])

    def _batch(self, texts: Sequence[Text], rows: list[list[int]]) -> list[Targets]:
        ids = torch.tensor(padded(rows), device=self.network.device)  # (B, T), padded at the end: no mask
        with torch.no_grad():
            logits = self.network(input_ids=ids, use_cache=False).logits
            return [
                targets(scores[_numbers(text.learnt).to(ids.device) - 1, : self.words], self.k)  # (N, V)
                for text, scores in zip(texts, logits, strict=True)
            ]


class StoredTeacher:
    """The same distributions from the store; the teacher is loaded only if the store lacks them."""

    def __init__(self, teacher: LiveTeacher, texts: Iterable[Text]) -> None:
        distinct = sorted(set(texts), key=lambda text: (-len(text.ids), text))
        run = teacher.run
        self.device = run.device
        folder = run.product(
            "teacher", ingredients(teacher, distinct), lambda folder: build(teacher, distinct, folder)
        )
        teacher.release()
        places = read_json(folder / "places.json")
        self.places = {text: (part, start) for text, (part, start) in zip(distinct, places, strict=True)}
        self.files = [safe_open(file, framework="pt") for file in sorted(folder.glob("*.safetensors"))]

    def targets(self, texts: Sequence[Text]) -> Targets:
        """Its distributions at all trained positions of the texts, one text after the other."""
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
    """The targets of several texts in one, one text after the other."""
    return Targets(*(None if parts[0] is None else torch.cat(parts) for parts in zip(*found, strict=True)))


def ingredients(teacher: LiveTeacher, texts: list[Text]) -> dict[str, Any]:
    """Everything that decides the distributions: the key of the product, without student and loss."""
    run = teacher.run
    return {
        "version": VERSION,
        "weights": weights_digest(teacher.ref),
        "tokens": digest_of([hashlib.sha256(text.ids).hexdigest() for text in texts]),
        "learnt": digest_of([hashlib.sha256(text.learnt).hexdigest() for text in texts]),
        "texts": len(texts),
        "words": teacher.words,
        "k": teacher.kept,
        "batch_tokens": teacher.speed.batch_tokens,
        "dtype": str(dtype_of("auto", run.device)).removeprefix("torch."),
        "matmul": torch.get_float32_matmul_precision(),
        "device": run.device,
        "libraries": machine.versions(LIBRARIES),
    }


def build(teacher: LiveTeacher, texts: list[Text], folder: Path) -> None:
    """Compute and write the distributions of every text.

    The numbers are written in files of at most PART numbers; places.json holds the file and first row of each
    text.
    """
    places: list[tuple[int, int]] = []
    tokens = sum(text.tokens for text in texts)
    teacher.run.say(
        f"the teacher reads {len(texts)} texts (once for all runs that share them): {tokens} tokens,"
        f" {teacher.kept} words for each"
    )
    shown = max(len(texts) // 100, 1)
    for part, (first, found) in enumerate(_parts(teacher, texts)):
        start = 0
        for done, answer in enumerate(found, first + 1):
            places.append((part, start))
            start += len(answer.values)
            if done % shown == 0:
                teacher.run.console.progress(f"{teacher.run.label} teacher", {}, done, len(texts))
        whole = joined(found)._asdict()
        save_file(
            {name: part.cpu().contiguous() for name, part in whole.items() if part is not None},
            folder / f"part-{part:05d}.safetensors",
        )
    write_json(folder / "places.json", places)


def _parts(teacher: LiveTeacher, texts: list[Text]) -> Iterator[tuple[int, list[Targets]]]:
    """The distributions in parts of at most PART numbers, each with the number of its first text."""
    first, found, numbers = 0, list[Targets](), 0
    for place, (text, answer) in enumerate(zip(texts, teacher.read(texts), strict=True)):
        if found and numbers + teacher.kept * text.tokens > PART:
            yield first, found
            first, found, numbers = place, [], 0
        found.append(answer)
        numbers += teacher.kept * text.tokens
    if found:
        yield first, found


def hidden_at(states: Sequence[Tensor], mask: Tensor) -> list[Tensor]:
    """Hidden states (B, T, H), one per layer, at the trained positions: (N, H) each."""
    return [state[:, :-1][mask] for state in states]
