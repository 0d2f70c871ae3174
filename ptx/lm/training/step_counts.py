"""What an optimizer step holds in all, for losses whose parts are means over tokens.

A trainer that takes the mean of each forward pass and then the mean of the passes gives a token of a short
pass more weight, so ``micro_batch`` changes the update: with DPO's ``sft`` loss by 14 % for 8 x 1 against 2 x
4 pairs of uneven lengths. The cure is to divide sums by the number of the whole step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

#: the number of something (tokens, pairs) in a collated batch
Count = Callable[[dict[str, Any]], Tensor | int]


def chosen_tokens(batch: dict[str, Any]) -> Tensor:
    """The answer tokens of the chosen sides of a batch of pairs."""
    count: Tensor = batch["completion_mask"].chunk(2)[0][:, 1:].sum()
    return count


def chosen_texts(batch: dict[str, Any]) -> Tensor:
    """The predicted tokens of the chosen sides, prompts included."""
    count: Tensor = batch["attention_mask"].chunk(2)[0][:, 1:].sum()
    return count


def pairs(batch: dict[str, Any]) -> int:
    """The pairs of a batch."""
    return len(batch["input_ids"]) // 2


def counting(base: Any, **counts: Count) -> Any:
    """The trainer class ``base`` with :meth:`share`, which weighs a forward pass within its step."""

    class Counting(base):  # type: ignore[misc]
        """The trainer, and what its present optimizer step holds in all."""

        def __init__(self, *args: Any, **options: Any) -> None:
            self._counted: dict[str, float] = {}
            super().__init__(*args, **options)

        def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> Any:
            """The batches of the next step, which are counted."""
            batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
            self._counted = {name: self._sum(count, batches, device) for name, count in counts.items()}
            return batches, items

        def _sum(self, count: Count, batches: list[dict[str, Any]], device: Any) -> float:
            """The number in this rank's batches; over all ranks, its mean: gradients are averaged."""
            import torch

            own = torch.tensor(float(sum(int(count(batch)) for batch in batches)), device=device)
            return float(self.accelerator.gather(own).float().mean())

        def share(self, name: str, batch: dict[str, Any]) -> float:
            """The factor of a mean over ``name`` in this pass: so the passes add up to the step's mean.

            1 for a step of one pass, and outside of training.
            """
            if not self.model.training or not self._counted.get(name):
                return 1.0
            passes = self.current_gradient_accumulation_steps
            return float(int(counts[name](batch)) / self._counted[name] * passes)

    Counting.__name__ = base.__name__
    return Counting
