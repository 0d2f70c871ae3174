"""The names in a row that carry meaning: which are used, as what, and which are refused.

The one list of them. A column that plays a part of a layout (``prompt``, ``chosen``, ...) stands in
:mod:`ptx.data.shapes`; here stand the names that change what such a row means: columns beside it and keys of
its messages. The rule: a name of this list is used, or the row is refused with what to do; every other column
and key is named once as not trained on. ``data.drop=[NAME]`` says that one is left out on purpose.
"""

from __future__ import annotations

import re

#: part -> the columns that hold it beside a prompt or a conversation
COMPANIONS: dict[str, tuple[str, ...]] = {
    "system": ("system", "system_prompt", "system_message", "system_instruction", "systemInstruction"),
    "history": (
        *("history", "chat_history", "conversation_history", "previous_messages", "prior_messages"),
        *("previous_turns", "past_turns"),
    ),
    "tools": ("tools", "functions"),
    "options": ("chat_template_kwargs",),
    "reasoning": ("reasoning", "reasoning_content", "thinking"),
}
#: what is said of a part that is used
USED: dict[str, str] = {
    "system": "as the first message",
    "history": "as earlier turns",
    "tools": "as the tools of the chat template, where the system text does not define them",
    "options": "as options of the chat template",
    "reasoning": "as the reasoning of the reply",
}

#: column -> why rows with a value there are refused; what ptx trains has no place for it
MEDIA = ("image", "images", "video", "videos", "audio", "audios")
#: how a text says where such a thing stands: LLaVA's <image>, Qwen's <|vision_start|>, [IMG]
MEDIA_PLACE = re.compile(r"<\|?(?:image|video|audio|vision)|\[(?:image|img|video|audio)\]", re.IGNORECASE)
WEIGHTS = (
    *("weight", "loss_scale", "importance", "importance_weight"),
    *(
        f"{of}_weight{s}"
        for of in ("sample", "sampling", "example", "row", "loss", "training")
        for s in ("", "s")
    ),
)

#: keys of a message: is it trained? (OpenAI, ShareGPT: weight; Axolotl: train; ms-swift: loss)
TRAINED_IF = (
    *("weight", "train", "training", "trained", "trainable", "is_trained", "train_on"),
    *("loss", "loss_weight", "calculate_loss", "compute_loss", "is_loss", "supervised", "is_supervised"),
)
#: keys of a message and columns: what is marked so is seemingly not to be trained, and nobody agreed on it
LEFT_OUT = (
    *("mask", "masked", "ignore", "ignored", "skip", "skipped", "exclude", "excluded"),
    *("deleted", "is_deleted", "removed", "hidden"),
)
#: keys of a message: parts of a turn that are trained differently
TRAINED_IN_PARTS = ("train_detail", "training_detail", "loss_scale", "loss_mask")
#: columns: a list of the turns, or tokens, that are trained
TRAINED_TURNS = (*TRAINED_IN_PARTS, "loss_masks", "mask", "masks", "turn_mask", "train_on_turns")
#: keys of a message: what was thought before the content; read under the first of these names
REASONING = ("reasoning_content", "reasoning", "thinking")
#: keys of a message beside its content that must not be lost
TEMPLATE_KEYS = ("reasoning_content", "tool_calls")
#: keys of a message that have a meaning; all others are named as not trained on
MESSAGE_KEYS = ("role", "content", *TEMPLATE_KEYS, "name", "tool_call_id", "train")

#: names for the roles (lower case) that files use; the canonical ones are in ptx.data.turns.ROLES
ROLE_NAMES: dict[str, str] = {
    "human": "user",
    "prompter": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "developer": "system",
    "observation": "tool",
    "function": "tool",
    "tool_response": "tool",
    "tool_result": "tool",
    "ipython": "tool",
}
#: roles whose content is the JSON of the assistant's tool calls (LLaMA-Factory, ms-swift)
CALLING_ROLES = ("function_call", "tool_call", "tool_calls")
