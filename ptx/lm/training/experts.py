"""Names of a mixture's sizes that TRL asks for, on configurations that call them otherwise.

TRL 1.16 balances the experts of every mixture whose configuration has ``output_router_logits``, and reads
``num_experts`` and ``num_experts_per_tok`` of it (``_fused_forward``; its issue 5754 is about GPT-OSS).
Granite's mixtures say ``num_local_experts`` and DBRX nests both, so training ended in an AttributeError.
The names are properties of the class: what is saved as config.json stays the same.

transformers 5.17 gives no router logits of Granite's mixtures, so their balancing loss is the integer 0 (in
its own forward too), on which TRL's DPO and KTO stopped. Such a mixture trains without it, and it is said.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ptx.hooks.run import Run

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

#: name that TRL reads -> what configurations call it
NAMES = {
    "num_experts": ("num_local_experts", "n_routed_experts", "moe_num_experts"),
    "num_experts_per_tok": ("moe_top_k", "num_selected_experts", "moe_k"),
}
NESTED = "ffn_config"  # DBRX


def name_experts(config: PreTrainedConfig) -> None:
    """Let the class of a mixture's configuration answer to the names that TRL reads."""
    text = config.get_text_config()
    if not hasattr(text, "output_router_logits"):
        return
    for name, others in NAMES.items():
        if not hasattr(text, name) and _value(text, others) is not None:
            setattr(type(text), name, property(partial(_value, names=others)))


def balance_if_possible(run: Run, trainer: Any) -> None:
    """Leave TRL's balancing of experts out where the model gives no router logits to balance by."""
    import torch

    if not getattr(trainer, "aux_loss_enabled", False):
        return
    network = trainer.model
    whole = network.get_base_model() if hasattr(network, "peft_config") else network
    tokens = torch.zeros((1, 2), dtype=torch.long, device=whole.device)
    with torch.no_grad():
        logits = getattr(whole.base_model(input_ids=tokens, output_router_logits=True), "router_logits", None)
    if not logits:
        trainer.aux_loss_enabled = False
        name = type(whole).__name__
        run.say(f"experts are not balanced: transformers gives no router logits of {name}")


def _value(config: Any, names: tuple[str, ...]) -> Any:
    """The first of these settings that a configuration has, itself or in its nested part."""
    parts = (config, getattr(config, NESTED, None))
    found = (getattr(part, name, None) for part in parts for name in names)
    return next((value for value in found if value is not None), None)
