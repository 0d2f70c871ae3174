"""TRL's DPOTrainer with losses that need no reference."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from trl import DPOTrainer

from ptx.lm.training.step_counts import chosen_texts, chosen_tokens, counting, pairs
from ptx_pairwise import CPO, ORPO, Pairwise, SimPO, loss

Base: Any = counting(DPOTrainer, answers=chosen_tokens, texts=chosen_texts, pairs=pairs)


class PairwiseTrainer(Base):  # type: ignore[misc]
    """The loss of ``method``; the likelihood is a mean over the tokens of the whole step."""

    _name = "Pairwise"

    def __init__(self, *args: Any, method: Pairwise, **options: Any) -> None:
        self.method = method
        super().__init__(*args, **options)

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        """Nothing is asked of a reference; only pairs that fit are kept."""
        most = self.args.max_length

        def fits(row: dict[str, Any]) -> bool:
            longest = max(len(row["chosen_ids"]), len(row["rejected_ids"]))
            return bool(len(row["prompt_ids"]) + longest <= most)

        return dataset.filter(fits)

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        mask = inputs["completion_mask"]
        labelled = mask
        if isinstance(self.method, ORPO) and self.method.prompt_loss:
            labelled = mask.clone()
            half = len(mask) // 2
            labelled[:half] = inputs["attention_mask"][:half]
        out = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            labels=inputs["input_ids"].masked_fill(labelled == 0, -100),
            use_cache=False,
            fused_lm_head=True,
        )
        tokens = out.log_probs[:, -(mask.shape[1] - 1) :]  # (2B, T - 1)
        answer = mask[:, 1:]
        sums = (tokens * answer).sum(dim=1)
        means = sums / answer.sum(dim=1).clamp(min=1)
        likelihood = self._likelihood(tokens, labelled[:, 1:], inputs)
        preferred = self._preference(sums, means).mean() * self.share("pairs", inputs)
        weight = {ORPO: 1.0, SimPO: 0.0}.get(type(self.method), getattr(self.method, "nll_weight", 0.0))
        total = preferred + weight * likelihood if weight else preferred
        self._log_numbers(means.detach(), likelihood.detach())
        return (total, out) if return_outputs else total

    def _likelihood(self, tokens: Tensor, labelled: Tensor, inputs: dict[str, Any]) -> Tensor:
        """The mean negative log-likelihood of the chosen side, as this pass's part of the step's mean."""
        chosen, counted = tokens.chunk(2)[0], labelled.chunk(2)[0]
        mean = -(chosen * counted).sum() / counted.sum().clamp(min=1)
        whole = isinstance(self.method, ORPO) and self.method.prompt_loss
        return mean * self.share("texts" if whole else "answers", inputs)

    def _preference(self, sums: Tensor, means: Tensor) -> Tensor:
        """The loss of each pair, (B,)."""
        method = self.method
        chosen, rejected = (sums if isinstance(method, CPO) else means).chunk(2)
        if isinstance(method, SimPO):
            return loss.simpo(chosen, rejected, method.beta, method.gamma_ratio * method.beta)
        if isinstance(method, CPO):
            return loss.cpo(chosen, rejected, method.beta)
        assert isinstance(method, ORPO)
        return loss.orpo(chosen, rejected, method.beta)

    def _log_numbers(self, means: Tensor, likelihood: Tensor) -> None:
        """What users watch: mean log-probabilities of both sides (does the chosen fall?), the margin."""
        chosen, rejected = means.chunk(2)
        beta = self.method.beta  # type: ignore[attr-defined]
        found = {
            "logps/chosen": chosen,
            "logps/rejected": rejected,
            "rewards/chosen": beta * chosen,
            "rewards/rejected": beta * rejected,
            "rewards/margins": beta * (chosen - rejected),
            "rewards/accuracies": (chosen > rejected).float(),
            "nll_loss": likelihood.reshape(1),
        }
        mode = "train" if self.model.training else "eval"
        for name, value in found.items():
            self._metrics[mode][name].append(self.accelerator.gather_for_metrics(value).mean().item())
