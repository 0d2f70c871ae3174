import json
import re
import shutil
import subprocess
from pathlib import Path

import jinja2
import pytest
import trl

from ptx.models.chat import ChatTemplate
from ptx_gguf.go_template import TRIED, around, conversation, literal

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
EACH = "{% for m in messages %}"
ASK = "{% if add_generation_prompt %}"
CHATML = (
    EACH + "{% if loop.first and m.role != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    + ASK
    + "<|im_start|>assistant\n{% endif %}"
)
LLAMA_2 = (
    "{% set first = messages[0].role == 'system' %}"
    "{% for m in messages[1:] if first %}{{ bos_token if m.role == 'user' }}{% if m.role == 'user' %}[INST] "
    "{{ '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' if loop.first }}{{ m.content }} [/INST]"
    "{% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}"
    "{% for m in messages if not first %}{{ bos_token if m.role == 'user' }}"
    "{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}"
)
NO_SYSTEM = (
    "{{ bos_token }}" + EACH + "{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% elif m.role == 'assistant' %}{{ m.content + eos_token }}"
    "{% else %}{{ raise_exception('no') }}{% endif %}{% endfor %}"
)
FOLDED = (
    "{{ bos_token }}{% set rest = messages[1:] if messages[0].role == 'system' else messages %}"
    "{% for m in rest %}<turn>{{ 'model' if m.role == 'assistant' else 'user' }}\n"
    "{{ messages[0].content + '\n\n' if loop.first and messages[0].role == 'system' }}"
    "{{ m.content | trim }}</turn>\n{% endfor %}" + ASK + "<turn>model\n{% endif %}"
)
CLOSED = (
    EACH
    + "<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    + (ASK + "<|assistant|>\n{% else %}{{ eos_token }}{% endif %}")
)
BRACES = (
    EACH + "{{ '{{' + m.role + '{' }}{{ m.content }}\u200b\"\"\"{% endfor %}" + ASK + "{{ '{' }}{% endif %}"
)
REGULAR = {
    "chatml": CHATML,
    "llama 2": LLAMA_2,
    "no system": NO_SYSTEM,
    "folded": FOLDED,
    "closed": CLOSED,
    "braces": BRACES,
}
IRREGULAR = {
    "date": EACH + "{{ strftime_now('%d') }}{{ m.content }}{% endfor %}",
    "system last": EACH + "{{ m.role }}{{ messages[0].content if loop.last }}{{ m.content }}{% endfor %}",
    "numbered": EACH + "{{ loop.index }}: {{ m.content }}\n{% endfor %}",
    "once": EACH + "{{ m.content if loop.last }}{% endfor %}",
    "broken": EACH + "{{ m.content.text.more }}{% endfor %}",
}
COLLECTED = sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))
ACTION = re.compile(r"\{\{ (.*?) \}\}", re.DOTALL)


#: actions of our templates -> the same in Jinja, by what they begin with
JINJA = {
    "range": "{% for turn in turns %}",
    "if eq .Role ": "{% if turn.role == ",
    "else if eq .Role ": "{% elif turn.role == ",
    "if not .System": "{% if not system",
    "if not (and $.System (eq $i 1))": "{% if not (system and loop.index0 == 1)",
    ".Content": "{{ turn.content }}",
}


def executed(template, turns):
    """What Go makes of a template: it is translated, action by action, and Jinja fills it in."""
    parts, opened = ACTION.split(template), []
    for number in range(1, len(parts), 2):
        begun = next(
            (one for one in sorted(JINJA, key=len, reverse=True) if parts[number].startswith(one)), ""
        )
        if begun.startswith(("range", "if")):
            opened.append("for" if begun == "range" else "if")
        if parts[number] == "end":
            parts[number] = f"{{% end{opened.pop()} %}}"
        elif begun in ("range", ".Content"):
            parts[number] = JINJA[begun]
        elif begun:
            parts[number] = JINJA[begun] + parts[number].removeprefix(begun) + " %}"
        else:
            parts[number] = f"{{{{ {parts[number]} }}}}"
    system = [turn["content"] for turn in turns if turn["role"] == "system"]
    made = jinja2.Environment(keep_trailing_newline=True).from_string("".join(parts))
    return made.render(turns=turns, system=system)


def asked(template, roles):
    return template.render(conversation(roles), ask=True).text


def tried(found):
    return [roles for roles in TRIED if found.system or "s" not in roles]


@pytest.mark.parametrize("begins", [False, True])
@pytest.mark.parametrize("name", REGULAR)
def test_ollamas_template_writes_what_the_chat_template_writes(name, begins):
    template = ChatTemplate({"default": REGULAR[name]}, TOKENS)
    found = around(template, begins=begins)
    assert (found.system is None) == (name == "no system")
    for roles in tried(found):
        expected = asked(template, roles)
        assert executed(found.go(), conversation(roles)) == expected.removeprefix("<s>" if begins else "")


@pytest.mark.parametrize("name", IRREGULAR)
def test_a_template_that_does_more_has_none(name):
    assert around(ChatTemplate({"default": IRREGULAR[name]}, TOKENS), begins=False) is None


def test_most_public_templates_are_regular():
    found = {
        file.stem: around(ChatTemplate({"default": file.read_text()}, TOKENS), begins=True)
        for file in COLLECTED
    }
    without = {name for name, one in found.items() if one is None and not name.endswith("_training")}
    assert len(without) < len(found) / 6
    assert not without & {
        "qwen2_5",
        "qwen3",
        "llama3",
        "llama3_1",
        "gemma",
        "gemma3",
        "phi3",
        "cohere",
        "deepseekv3",
    }
    assert {"llama3_2", "gptoss"} <= without  # today's date
    assert found["qwen2_5"].user == ("<|im_start|>user\n", "<|im_end|>\n")
    assert found["phi3"].assistant == ("<|assistant|>\n", "<|end|>\n")
    assert found["gemma3"].folded


def test_a_literal_has_no_action_of_its_own_and_nothing_that_ollama_drops():
    assert literal("a\nb ") == "a\nb "
    assert literal("a{") == '{{ "a{" }}'
    assert literal('"""\u200b') == '{{ "\\U00000022\\U00000022\\U00000022\\U0000200b" }}'


PROGRAM = """
package main
import ("encoding/json"; "fmt"; "os"; "strings"; "text/template")
type message struct { Role, Content string }
func main() {
    var cases []struct { Go string; Turns []message }
    if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil { panic(err) }
    texts := []string{}
    for _, one := range cases {
        system := []string{}
        for _, turn := range one.Turns { if turn.Role == "system" { system = append(system, turn.Content) } }
        var text strings.Builder
        made := template.Must(template.New("").Parse(one.Go))
        values := map[string]any{"System": strings.Join(system, "\\n\\n"), "Messages": one.Turns}
        if err := made.Execute(&text, values); err != nil { panic(err) }
        texts = append(texts, text.String())
    }
    out, _ := json.Marshal(texts)
    fmt.Println(string(out))
}
"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("go"), reason="there is no Go here")
def test_go_itself_writes_the_same(tmp_path):
    sources = [*REGULAR.values(), *(file.read_text() for file in COLLECTED)]
    cases, expected = [], []
    for template in (ChatTemplate({"default": source}, TOKENS) for source in sources):
        if found := around(template, begins=False):
            for roles in tried(found):
                cases.append({"Go": found.go(), "Turns": conversation(roles)})
                expected.append(asked(template, roles))
    (tmp_path / "main.go").write_text(PROGRAM)
    ran = subprocess.run(
        ["go", "run", "main.go"],
        cwd=tmp_path,
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout) == expected
