"""Items of our own making in BFCL's form, and a model that answers from a script."""

import json

import pytest

from ptx.models.chat import ChatTemplate

AREA = {
    "name": "geometry.area",
    "description": "The area of a triangle.",
    "parameters": {
        "type": "dict",
        "properties": {
            "base": {"type": "integer"},
            "height": {"type": "float"},
            "unit": {"type": "string", "description": "cm by default"},
        },
        "required": ["base", "height"],
    },
}
BOOK = {
    "name": "book",
    "description": "Books seats.",
    "parameters": {
        "type": "dict",
        "properties": {
            "seats": {"type": "array", "items": {"type": "string"}},
            "guest": {"type": "dict", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}},
            "extras": {"type": "array", "items": {"type": "dict"}},
            "day": {"type": "any"},
        },
        "required": ["seats"],
    },
}
QUESTIONS = [
    (
        "simple_python_0",
        [AREA],
        [{"geometry.area": {"base": [10], "height": [5], "unit": ["cm", "centimetres", ""]}}],
    ),
    ("multiple_0", [AREA, BOOK], [{"book": {"seats": [["A1", "A2"]], "day": ["Monday", ""]}}]),
    (
        "parallel_0",
        [AREA],
        [
            {"geometry.area": {"base": [1], "height": [2.5], "unit": [""]}},
            {"geometry.area": {"base": [3], "height": [4], "unit": [""]}},
        ],
    ),
    ("irrelevance_0", [AREA], None),
    ("live_relevance_0-0-0", [BOOK], None),
]


@pytest.fixture
def bfcl(tmp_path):
    """A folder of BFCL's form: a file for each category, the answers in possible_answer/."""
    (tmp_path / "bfcl" / "possible_answer").mkdir(parents=True)
    for name, tools, truth in QUESTIONS:
        file = f"BFCL_v4_{name.rpartition('_')[0]}.json"
        asked = {
            "id": name,
            "question": [[{"role": "user", "content": f"Question {name}?"}]],
            "function": tools,
        }
        (tmp_path / "bfcl" / file).write_text(json.dumps(asked) + "\n")
        if truth:
            answer = json.dumps({"id": name, "ground_truth": truth}) + "\n"
            (tmp_path / "bfcl" / "possible_answer" / file).write_text(answer)
    return tmp_path / "bfcl"


QWEN = (
    "{%- if tools %}<|im_start|>system\n{% for t in tools %}{{ t | tojson }}\n{% endfor %}"
    "<|im_end|>\n{% endif %}"
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content or '' }}"
    "{%- for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}"
    "<|im_end|>\n"
    "{%- endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PLAIN = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"


class Scripted:
    """A language model that gives its replies in turn and keeps what it was asked."""

    max_length, emulated = 4096, ""

    def __init__(self, replies, template=QWEN):
        self.replies, self.asked, self.tokenizer = list(replies), [], self
        self.chat_template, self.special_tokens_map, self.all_special_tokens = template, {}, ["<|im_end|>"]
        assert template is None or ChatTemplate({"default": template}, {})

    def __call__(self, text, **_):
        return {"input_ids": text.split()}

    def generate(self, prompts, *_, **__):
        self.asked += prompts
        return [self.replies[len(self.asked) - len(prompts) + place] for place in range(len(prompts))]
