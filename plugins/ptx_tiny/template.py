"""The chat format of the demonstration model: special tokens, the template, and the same format as plain
string operations.

`<|bos|><|user|>What is 12 + 7?<|end|><|assistant|>The answer is 19.<|end|>`

Three properties that training needs: the `{% generation %}` block holds the answer *and* its end token, so
that a loss on assistant tokens alone trains the model to stop; the rendering of a conversation is a prefix of
the rendering of its continuation; and the beginning-of-text token comes from the template only (the tokenizer
adds none), so that it never stands twice.
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
    """What the template renders, without jinja or transformers: for the writers of data, which import
    neither.
    """
    return BOS + "".join(ROLES[message["role"]] + message["content"] + END for message in messages)
