"""The chat format of the demonstration model: special tokens, the template, and a renderer in plain Python.

`<|bos|><|user|>What is 12 + 7?<|end|><|assistant|>The answer is 19.<|end|>`

Training needs three properties. The `{% generation %}` block holds the answer *and* its end token, so that a
loss on assistant tokens alone trains the model to stop. The rendering of a conversation is a prefix of the
rendering of its continuation. The beginning-of-text token comes from the template only (the tokenizer adds
none), so that it never occurs twice.
"""

from __future__ import annotations

PAD, BOS, END = "<|pad|>", "<|bos|>", "<|end|>"
ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
SPECIAL_TOKENS = (PAD, BOS, END, *ROLES.values())

CHAT_TEMPLATE = (
    "{{- bos_token }}"
    "{%- for message in messages %}"
    "{%- if message['role'] == 'assistant' %}"
    "{{- '<|assistant|>' }}{% generation %}{{- message['content'] + '<|end|>' }}{% endgeneration %}"
    "{%- else %}"
    "{{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{%- endif %}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}"
)

Message = dict[str, str]


def render(messages: list[Message]) -> str:
    """The rendering of the template, without jinja and transformers, which the generators do not import."""
    return BOS + "".join(ROLES[message["role"]] + message["content"] + END for message in messages)
