"""PPO on TRL's GRPOTrainer: every method calls TRL's and adds to what that returns.

The critic is a module of the policy, so the Trainer's optimizer and checkpoints cover it; it has a learning
rate of its own, and is taken off before the result is saved. TRL takes advantages by token from subclasses.
With adapters it stands beside the policy (:mod:`ptx_ppo.beside`): PEFT would mix the adapters of both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from trl import GRPOTrainer

from ptx_ppo import PPO, loss
from ptx_ppo.beside import Beside

CRITIC = "critic"
Batch = dict[str, Any]


class PPOTrainer(GRPOTrainer):  # type: ignore[misc]
    """GRPO's sampling, ratios and clipping, with GAE from a critic."""

    _name = "PPO"
    beside_policy = (CRITIC,)  # modules of the policy that are no part of the model

    def __init__(self, *args: Any, method: PPO, critic: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.method = method
        self._scores = torch.empty(0)
        self.beside = Beside(critic) if method.lora is not None else None
        if self.beside is None:
            self.accelerator.unwrap_model(self.model).add_module(CRITIC, critic)

    @property
    def critic(self) -> Any:
        """The critic."""
        if self.beside is not None:
            return self.beside.critic
        return self.accelerator.unwrap_model(self.model).critic

    def take_critic(self) -> Any:
        """The critic, taken off the policy."""
        if self.beside is not None:
            return self.beside.merged()
        policy = self.accelerator.unwrap_model(self.model)
        return policy._modules.pop(CRITIC)  # noqa: SLF001 (torch has no public way)

    def create_optimizer(self, *args: Any, **options: Any) -> Any:
        """TRL's optimizer, with the critic's parameters in groups of their own."""
        made = super().create_optimizer(*args, **options)
        if self.beside is not None:
            self.beside.train_with(made, self.method.critic_learning_rate, self.args.max_grad_norm)
            return made
        theirs = {id(parameter) for parameter in self.critic.parameters()}
        for group in list(made.param_groups):
            moved = [one for one in group["params"] if id(one) in theirs]
            group["params"] = [one for one in group["params"] if id(one) not in theirs]
            if moved:
                rate = self.method.critic_learning_rate
                rest = {name: value for name, value in group.items() if name != "params"}
                made.add_param_group({**rest, "params": moved, "lr": rate, "initial_lr": rate})
        return made

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        if self.beside is not None:
            self.beside.save(Path(output_dir or self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        if self.beside is not None:
            self.beside.load(Path(resume_from_checkpoint))

    def _calculate_rewards(self, *args: Any, **options: Any) -> Tensor:
        self._scores = super()._calculate_rewards(*args, **options)
        return self._scores

    def _generate_and_score_completions(self, inputs: Any) -> Batch:
        batch: Batch = super()._generate_and_score_completions(inputs)
        # the pairs of answers are no groups here
        self._metrics[self._mode].pop("frac_reward_zero_std", None)
        with torch.no_grad():
            ids, attention, length = _texts(batch)
            old = batch.get("old_per_token_logps")
            if old is None:
                size = self.args.per_device_train_batch_size
                old, *_ = self._get_per_token_logps_and_entropies(
                    self.model, ids, attention, length, batch_size=size
                )
            batch |= self._judged(batch, old, self._values(ids, attention, length))
        return batch

    def _judged(self, batch: Batch, old: Tensor, values: Tensor) -> Batch:
        """What is added to a batch of answers: old probabilities and values, advantages and returns."""
        scores, mask = self._own_scores(batch)
        values = values * mask
        reference = batch.get("ref_per_token_logps")
        ratios = torch.zeros_like(old) if reference is None else (old - reference) * mask
        rewards = loss.token_rewards(scores, ratios, mask, self.method.beta)
        found, returns = loss.advantages(rewards, values, mask, self.method.gamma, self.method.gae_lambda)
        self._log(
            kl=ratios.sum(dim=1).mean(),
            explained_variance=loss.explained_variance(values, returns, mask),
            value=(values * mask).sum() / mask.sum().clamp(min=1),
        )
        return {
            "old_per_token_logps": old,
            "old_values": values,
            "returns": returns,
            "advantages": loss.whitened(found, mask),
            "value_mask": mask,
        }

    def _own_scores(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """This rank's scores (B,), and the tokens that count (B, T): none of an answer that is left out."""
        weighted = (self._scores * self.reward_weights.to(self._scores.device)).nansum(dim=1)
        size, rank = len(batch["completion_ids"]), self.accelerator.process_index
        own = slice(rank * size, (rank + 1) * size)
        known = ~torch.isnan(self._scores[own]).all(dim=1)
        mask = batch["completion_mask"].float() * batch.get("tool_mask", torch.ones(())).to(known.device)
        if self.method.missing_end:
            ends = torch.tensor(self.eos_token_ids, device=known.device)
            last = batch["completion_mask"].sum(dim=1).long().clamp(min=1) - 1
            final = batch["completion_ids"].gather(1, last[:, None])[:, 0]
            weighted[own] -= self.method.missing_end * ~torch.isin(final, ends)
        return weighted[own], mask * known[:, None]

    def _values(self, ids: Tensor, attention: Tensor, length: int) -> Tensor:
        """V(s_t): what is predicted before token t is read, so one place earlier."""
        found: Tensor = self.critic(input_ids=ids, attention_mask=attention).logits[:, -length - 1 : -1, 0]
        return found

    def _compute_loss(self, model: Any, inputs: Batch) -> Tensor:
        beta = self.method.beta
        self.beta = 0.0  # the penalty is in the reward
        try:
            policy = super()._compute_loss(model, inputs)
        finally:
            self.beta = beta
        if self.state.global_step < self.method.critic_warmup:
            policy = policy * 0.0
        values, mask = self._values(*_texts(inputs)), inputs["value_mask"]
        errors = loss.value_loss(values, inputs["old_values"], inputs["returns"], self.method.value_clip)
        number = inputs["num_items_in_batch"].clamp(min=1.0) / self.accelerator.num_processes
        number = number * self.current_gradient_accumulation_steps / self.args.steps_per_generation
        value = (errors * mask).sum() / number
        self._log(value_loss=value.detach())
        total: Tensor = policy + self.method.value_weight * value
        return total

    @property
    def _mode(self) -> str:
        return "train" if self.model.training else "eval"

    def _log(self, **numbers: Tensor) -> None:
        for name, value in numbers.items():
            self._metrics[self._mode][name].append(self.accelerator.gather(value).float().mean().item())


def _texts(batch: Batch) -> tuple[Tensor, Tensor, int]:
    """Prompts and answers together, their mask, and the length of the answers."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    return ids, attention, batch["completion_ids"].shape[1]
