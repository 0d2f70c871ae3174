"""TRL's SFTTrainer with two more streams of data.

Every forward pass on conversations is followed by one on pairs and one on safety rows. TRL handles the
conversations as always, so with both weights at 0 this is ``method=sft``. TRL's DPOTrainer tokenises and cuts
the pairs, the SFTTrainer itself the safety rows. The reference of the pairs is the input model of the step,
or that of ``method.reference``; its log-probabilities come from the store and are shared with ``method=dpo``
on the same pairs.

Under gradient accumulation L_pref is a mean over the pairs of the step, and L_safe a mean over the answer
tokens of all its safety rows, so neither depends on the size of a micro batch.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from datasets import Dataset
from torch import Tensor, nn
from transformers import PreTrainedModel
from trl import DPOTrainer, SFTTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.utils import add_fused_lm_head

from ptx import ModelRef, Run
from ptx.lm.training.answers import pair_columns
from ptx.lm.training.reference import few, stored
from ptx.lm.training.rows import as_dataset
from ptx_mix import Mix, loss
from ptx_mix.streams import Stream

Row = dict[str, Any]


class MixTrainer(SFTTrainer):  # type: ignore[misc]
    """SFT plus ``lambda_pref`` times DPO plus ``lambda_safe`` times SFT on safety rows."""

    _name = "Mix"

    def __init__(
        self,
        *args: Any,
        run: Run,
        method: Mix,
        reference: tuple[ModelRef, PreTrainedModel | None],
        pairs: list[Row],
        safety: list[Row],
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.mix = method
        self.pairs = self._pairs(run, *reference, pairs) if method.lambda_pref else None
        self.safety = self._safety(run, safety) if method.lambda_safe else None
        self._last_pass = (-1, 0)

    def _pairs(
        self, run: Run, reference: ModelRef, copy: PreTrainedModel | None, rows: list[Row]
    ) -> Stream[Row]:
        """A stream of tokenised pairs, each with the reference's log-probabilities of both answers.

        ``copy`` is the reference where the model before training is not; it is freed when it has scored.
        """
        cut = SimpleNamespace(
            dataset_num_proc=None, max_length=self.args.max_length, truncation_mode="keep_start"
        )
        tokens = DPOTrainer._prepare_dataset(  # noqa: SLF001 (tokenises as DPO does)
            self, as_dataset(rows), self.processing_class, cut, "pairs"
        )
        self.pair_collator = DataCollatorForPreference(
            pad_token_id=self._tokenizer.pad_token_id, max_length=self.args.max_length
        )
        prepared = list(tokens.select_columns(["prompt_ids", "chosen_ids", "rejected_ids"]))
        _say_left_out(run, "pairs", len(rows), len(prepared))
        if copy is not None:
            add_fused_lm_head(copy.to(self.accelerator.device))  # as DPO's trainer does
        self.ref_model = copy
        stream = Stream(prepared, self.args.per_device_train_batch_size, run.seed, "pairs")
        passes = self.args.max_steps * self.args.gradient_accumulation_steps
        sparse = passes > 0 and few(passes * stream.size, len(prepared))
        scored = [prepared[place] for place in sorted(stream.drawn(passes))] if sparse else prepared
        columns = [pair_columns(self.pair_collator([row]), tails=False) for row in scored]
        values = stored(
            run,
            self.mix,
            reference,
            self,
            (answer for found in columns for side in found.values() for answer in side),
        )
        self.ref_model = None
        for row, found in zip(scored, columns, strict=True):
            row |= {name: values[answer] for name, (answer,) in found.items()}
        return stream

    def _safety(self, run: Run, rows: list[Row]) -> Stream[Row]:
        tokens = self._prepare_dataset(
            Dataset.from_list(rows), self.processing_class, self.args, False, None, "safety"
        )
        prepared = list(tokens.select_columns(["input_ids", "labels"]))
        _say_left_out(run, "safety rows", len(rows), len(prepared))
        return Stream(prepared, self.args.per_device_train_batch_size, run.seed, "safety")

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Row,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """L_sft + lambda_pref L_pref + lambda_safe L_safe, scaled for accumulation as TRL scales L_sft."""
        sft = super().compute_loss(model, inputs, num_items_in_batch=num_items_in_batch)
        number = self._pass_number()
        found = {}
        if self.pairs is not None:
            found["pref"] = (self.mix.lambda_pref, self._preference(model, self.pairs.batch(number)))
        if self.safety is not None:
            found["safety"] = (self.mix.lambda_safe, self._imitation(model, self.safety, number))
        # With num_items_in_batch, TRL's loss is already the micro batch's share of the whole step, and the
        # trainer divides no further; so the other losses are divided here.
        steps = self.current_gradient_accumulation_steps if num_items_in_batch is not None else 1
        self._log_numbers(
            sft_loss=steps * sft, **{f"{name}_loss": value for name, (_, value) in found.items()}
        )
        return loss.mixed(sft, *((weight / steps, value) for weight, value in found.values()))

    def _pass_number(self) -> int:
        """The number of this forward pass in the whole training, counted over all ranks and over resumes."""
        step, micro = self._last_pass
        self._last_pass = (self.state.global_step, micro + 1 if step == self.state.global_step else 0)
        passes = self.state.global_step * self.args.gradient_accumulation_steps + self._last_pass[1]
        return int(passes * self.accelerator.num_processes + self.accelerator.process_index)

    def _preference(self, model: nn.Module, rows: list[Row]) -> Tensor:
        batch = self._prepare_inputs(self.pair_collator(rows))
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
        out = model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            labels=labels,
            use_cache=False,
            fused_lm_head=True,
        )
        chosen, rejected = loss.answer_log_probability(out.log_probs, out.label_mask).chunk(2)
        references = batch["ref_chosen_logps"], batch["ref_rejected_logps"]
        margins = (chosen - references[0]) - (rejected - references[1])
        self._log_numbers(
            **{
                "rewards/margins": self.mix.beta * margins.mean(),
                "rewards/accuracies": (margins > 0).float().mean(),
            }
        )
        return loss.preference(chosen, rejected, *references, self.mix.beta).mean()

    def _imitation(self, model: nn.Module, safety: Stream[Row], number: int) -> Tensor:
        batch = self.data_collator(safety.batch(number))
        share = self._share_of_step(safety, number)
        out = model(**self._prepare_inputs(batch), use_cache=False, fused_lm_head=True)
        return loss.imitation(out.log_probs, out.label_mask) * share

    def _share_of_step(self, safety: Stream[Row], number: int) -> float:
        """The answer tokens of a batch over those of the mean batch of its step."""
        passes = self.args.gradient_accumulation_steps * self.accelerator.num_processes
        if passes == 1:
            return 1.0
        first = number // passes * passes
        counts = [_answer_tokens(safety.batch(place)) for place in range(first, first + passes)]
        return float(counts[number - first] * passes / max(sum(counts), 1))

    def _log_numbers(self, **numbers: Tensor) -> None:
        """Add numbers to the next line of the log, as TRL does with its own."""
        for name, value in numbers.items():
            self._metrics["train"][name].append(
                self.accelerator.gather_for_metrics(value.detach().reshape(1)).mean().item()
            )


def _answer_tokens(rows: list[Row]) -> int:
    """The tokens of the rows that are predicted and have a label."""
    return sum(label != -100 for row in rows for label in row["labels"][1:])


def _say_left_out(run: Run, what: str, given: int, kept: int) -> None:
    if kept < given:
        run.say(
            f"{given - kept} of {given} {what} are left out: no token of their answers fits"
            " (method.max_length)"
        )
