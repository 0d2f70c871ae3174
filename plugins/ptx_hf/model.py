"""A language model on transformers: batched generation and log-likelihood.

Requests are sorted by length, the longest first, and answered in the order of the call. The longest come
first because that needs the least padding, and because a batch that does not fit into memory then fails at
once; it is halved. Texts are continued by :mod:`ptx.lm.serving.continuing` where a trial shows that this is
right, else by transformers' ``generate``. Sampling draws Gumbel noise from one generator per prompt, seeded
by the call's seed and the prompt's index, and takes the argmax (Gumbel 1954: the same distribution as softmax
sampling). So the reply to a prompt does not depend on its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ptx import ModelRef
from ptx.lm.load import load_model, load_tokenizer
from ptx.lm.progress import compressed_tensors_bars
from ptx.lm.serving.batching import Batches
from ptx.lm.serving.continuing import cannot_continue, continued
from ptx.lm.serving.decoding import Noise, Stops, end_tokens, prompt_seeds, reply_text
from ptx.lm.serving.loglikelihood import log_probs_of, logits_of, refusal_reason, shared_answers
from ptx.lm.serving.padding import ANY, batched, ends_alone, places_together
from ptx.lm.serving.scoring import Answer, Pair
from ptx.lm.tokens import encode, encode_pair
from ptx.machine import release_memory
from ptx.models.sizes import context_of
from ptx_hf import HF
from ptx_hf.sampling import Gumbel, StopAt, StopWatch, perturbed

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Criterion = Callable[[Tensor, Tensor], Tensor]
DEFAULT_LENGTH = 2048


class HFLanguageModel:
    """A model folder opened with transformers; implements :class:`ptx.LanguageModel`."""

    def __init__(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        device: str,
        batch_size: int | str,
        *,
        prefix_cache: bool = False,
    ) -> None:
        self.model, self.tokenizer, self.device = model, tokenizer, device
        self.emulated = emulated(model)
        model.generation_config = ends_alone(model.generation_config)
        text_config = model.config.get_text_config()
        self.max_length: int = context_of(text_config) or DEFAULT_LENGTH
        self.shares = prefix_cache
        self.concurrent = not rotates_by_length(text_config)
        self.batches = Batches.of(batch_size, text_config, model.dtype.itemsize, device)

    @cached_property
    def prefix_refused(self) -> str:
        """Why the prefix cache is not used although it was asked for."""
        return refusal_reason(self.model) if self.shares else ""

    @property
    def prefix_cache(self) -> bool:
        """Whether the common beginning of log-likelihood requests is read once."""
        return self.shares and not self.prefix_refused

    @cached_property
    def continues(self) -> bool:
        """Whether texts are continued without transformers' ``generate``."""
        return self.concurrent and not cannot_continue(self.model)

    @cached_property
    def batched(self) -> str:
        """Which rows ``generate`` may read together."""
        return batched(self.model)

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        *,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """Continue each prompt; a prompt that is too long for the model is cut at its beginning."""
        room = max(1, self.max_length - max_new_tokens)
        encoded = [encode(self.tokenizer, prompt)[-room:] or [self._filler()] for prompt in prompts]
        answers = [""] * len(encoded)

        def work(places: list[int]) -> list[list[int]]:
            noise = Noise(prompt_seeds(seed, places), temperature) if temperature > 0 else None
            return self._continue([encoded[place] for place in places], max_new_tokens, stop, noise)

        lengths = [len(ids) + max_new_tokens for ids in encoded]
        for places, made in self.batches.each(lengths, work, self.batches.kept):
            for place, ids in zip(places, made, strict=True):
                answers[place] = reply_text(self.tokenizer, ids, self._ends(), stop)
        return answers

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
        """Return the log-probability in nats of each continuation, and whether greedy decoding gives it."""
        return self.loglikelihood_tokens([encode_pair(self.tokenizer, *pair) for pair in pairs])

    def loglikelihood_tokens(self, pairs: Sequence[Pair]) -> list[Answer]:
        """Return the same for token ids."""
        scores: list[Answer] = [(0.0, True)] * len(pairs)
        asked = [place for place, (_, continuation) in enumerate(pairs) if continuation]
        if self.prefix_cache:
            for batch in shared_answers(
                self.model, [pairs[place] for place in asked], self.max_length, self.batches
            ):
                for place, answer in batch:
                    scores[asked[place]] = answer
            return scores
        lengths = [len(pairs[place][0]) + len(pairs[place][1]) for place in asked]
        for places, found in self.batches.each(
            lengths, lambda places: self._scores([pairs[asked[place]] for place in places])
        ):
            for place, score in zip(places, found, strict=True):
                scores[asked[place]] = score
        return scores

    def logits(self, rows: Sequence[Sequence[int]]) -> Iterator[Any]:
        """Yield the scores of the next token after each token, row by row: float32 (T, V).

        Rows that follow each other are read together, so a caller should pass them sorted by length.
        """
        yield from (scores.numpy() for scores in logits_of(self.model, rows, self.batches.rows))

    def log_probs(self, rows: Sequence[Sequence[int]]) -> Iterator[Any]:
        """Yield the same as log-probabilities."""
        yield from (found.numpy() for found in log_probs_of(self.model, rows, self.batches.rows))

    def time_request(self, prompt_tokens: int, new_tokens: int, batch_size: int = 1) -> tuple[float, float]:
        """Return the seconds to the first new token, and from there to the last, of one request.

        The request has random tokens and never ends early. It goes through transformers' ``generate``, which
        is what serves a folder under transformers.
        """
        generator = torch.Generator().manual_seed(0)
        ids = torch.randint(
            0,
            self.model.get_input_embeddings().weight.shape[0],
            (batch_size, prompt_tokens),
            generator=generator,
        )
        watch = StopWatch(self.device)
        started = watch.now()
        self._run(ids.tolist(), new_tokens, [], [watch], ends=False)
        return watch.times[0] - started, watch.times[-1] - watch.times[0]

    def close(self) -> None:
        """Free the memory."""
        self.model = None
        release_memory()

    def _continue(
        self, rows: Sequence[Sequence[int]], most: int, stop: Sequence[str], noise: Noise | None
    ) -> list[list[int]]:
        """The new tokens of each row; behind the one with which a row ended there may be more."""
        if not self.continues:
            made: list[list[int]] = [[] for _ in rows]
            for places in places_together([*map(len, rows)], self.batched if len(rows) > 1 else ANY):
                start = max(len(rows[place]) for place in places)
                processors = [Gumbel(noise, places)] if noise else []
                criteria = [StopAt(self.tokenizer, stop, start)] if stop else []
                new = self._run([rows[place] for place in places], most, processors, criteria)[:, start:]
                for place, ids in zip(places, new.tolist(), strict=True):
                    made[place] = ids
            return made
        ends, stops = set(self._ends()), Stops(self.tokenizer, stop)
        return continued(
            self.model,
            rows,
            most,
            lambda scores, going: (scores if noise is None else perturbed(scores, noise, going)).argmax(-1),
            lambda new: new[-1] in ends or stops.met(new),
        )

    def _filler(self) -> int:
        """Return the padding token; it is masked, so any token will do."""
        chosen = (self.tokenizer.pad_token_id, self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)
        return next((int(token) for token in chosen if token is not None), 0)

    def _run(
        self,
        rows: Sequence[Sequence[int]],
        new_tokens: int,
        processors: Sequence[Any],
        criteria: Sequence[Criterion],
        *,
        ends: bool = True,
    ) -> Tensor:
        """Generate greedily over the processed scores, (B, T + new).

        Sampling settings of the model's own generation config are not used.
        """
        from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

        width, filler = max(map(len, rows)), self._filler()
        ids = torch.tensor([[filler] * (width - len(row)) + list(row) for row in rows], device=self.device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=self.device)
        config = GenerationConfig(
            max_new_tokens=new_tokens,
            min_new_tokens=0 if ends else new_tokens,
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            pad_token_id=filler,
            eos_token_id=self._ends(),
            use_cache=True,
        )
        with torch.inference_mode():
            made = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                generation_config=config,
                logits_processor=LogitsProcessorList(processors),
                stopping_criteria=StoppingCriteriaList(criteria),
            )
        return torch.as_tensor(made)

    def _ends(self) -> list[int]:
        """Return the tokens that end a reply: those of the model's generation config and the tokenizer's."""
        return end_tokens(self.tokenizer, self.model.generation_config.eos_token_id)

    def _scores(self, rows: Sequence[Pair]) -> list[Answer]:
        # the last token is only predicted, never read; a row that is too long is cut at its beginning
        inputs = [[*context, *continuation][-(self.max_length + 1) :][:-1] for context, continuation in rows]
        width, filler = max(map(len, inputs)), self._filler()
        ids = torch.tensor([row + [filler] * (width - len(row)) for row in inputs], device=self.device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in inputs], device=self.device)
        with torch.inference_mode():
            logits = self.model(input_ids=ids, attention_mask=mask).logits  # (B, T, V)
        scores: list[Answer] = []
        for row, (_, continuation), predicted in zip(inputs, rows, logits, strict=True):
            target = torch.tensor(list(continuation)[-len(row) :], device=self.device)
            log_probs = torch.log_softmax(
                predicted[len(row) - len(target) : len(row)].float(), dim=-1
            )  # (C, V)
            chosen = log_probs.gather(1, target[:, None]).double().sum()
            scores.append((float(chosen), bool((log_probs.argmax(dim=-1) == target).all())))
        return scores


def rotates_by_length(config: Any) -> bool:
    """Return whether the positions' frequencies are recomputed for every text (dynamic NTK, LongRoPE).

    They are state of the model, which two threads cannot share.
    """
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kinds = [rope, *(part for part in rope.values() if isinstance(part, dict))]
    return any(part.get("rope_type", part.get("type")) in ("dynamic", "longrope") for part in kinds)


def emulated(model: Any) -> str:
    """Return why time and memory measured here differ from deployment; empty where they do not."""
    config = getattr(model.config, "quantization_config", None)
    method = config.get("quant_method") if isinstance(config, dict) else getattr(config, "quant_method", None)
    if method == "quanto":
        return "optimum-quanto unpacks the weights in every product; no kernel of its own was measured"
    if method is None or model.device.type != "cpu":
        return ""
    return (
        f"transformers unpacks a {getattr(method, 'value', method)} checkpoint on a CPU and computes with its"
        " full weights"
    )


def load(runtime: HF, model: ModelRef, device: str) -> HFLanguageModel:
    """Open a model folder; unpack a quantised one now, so that the first request is not slower."""
    packed = (model.path / "config.json").is_file() and '"quantization_config"' in (
        model.path / "config.json"
    ).read_text(encoding="utf-8")
    with compressed_tensors_bars() if packed else nullcontext():
        opened = HFLanguageModel(
            load_model(model, dtype=runtime.dtype, device=device).eval(),
            load_tokenizer(model.path),
            device,
            runtime.batch_size,
            prefix_cache=runtime.prefix_cache,
        )
        if packed:
            opened.loglikelihood([("", "a a")])
    return opened
