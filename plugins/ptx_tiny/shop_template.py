"""A chat template with tools for the embedded model: calls as JSON between tags, results as a system turn.

`<|system|>price(item): The price of an item.<|end|><|user|>What does a fig cost?<|end|>`
`<|assistant|><tool_call>{"name": "price", "arguments": {"item": "fig"}}</tool_call><|end|>`
`<|system|>3<|end|><|assistant|>The answer is 3.<|end|>`

Without tools it writes what the model's own template writes. Definitions are short (the context has 512
tokens): the names, the parameters and the description.
"""

from __future__ import annotations

import shutil
from pathlib import Path

HERE = Path(__file__).parent
TOOL_TEMPLATE = (
    "{{- bos_token }}"
    "{%- if tools %}{{- '<|system|>' }}"
    "{%- for tool in tools %}{%- set inner = tool['function'] %}"
    "{{- inner['name'] + '(' + (inner['parameters']['properties'] | join(', ')) + '): ' }}"
    "{{- inner['description'] + ' ' }}{%- endfor %}{{- '<|end|>' }}{%- endif %}"
    "{%- for message in messages %}"
    "{%- if message['role'] == 'assistant' %}"
    "{{- '<|assistant|>' }}{% generation %}{{- message['content'] or '' }}"
    "{%- for call in message['tool_calls'] or [] %}{%- set inner = call['function'] %}"
    "{{- '<tool_call>{\"name\": \"' + inner['name'] + '\", \"arguments\": ' }}"
    "{{- inner['arguments'] | tojson }}{{- '}</tool_call>' }}{%- endfor %}{{- '<|end|>' }}{% endgeneration %}"
    "{%- else %}"
    "{{- '<|' + ('system' if message['role'] == 'tool' else message['role']) + '|>' }}"
    "{{- message['content'] + '<|end|>' }}"
    "{%- endif %}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}"
)


def write_model(folder: Path, _: Path) -> None:
    """Write the embedded model with this template into `folder`."""
    shutil.copytree(HERE / "model", folder)
    (folder / "chat_template.jinja").write_text(TOOL_TEMPLATE, encoding="utf-8", newline="\n")
