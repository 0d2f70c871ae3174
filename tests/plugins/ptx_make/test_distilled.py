"""One greedy answer of a teacher is what ``method=distill_sequence`` learns from it."""

from __future__ import annotations

from ptx import ModelRef, RunConfig
from ptx.files import read_rows
from ptx.store.store import Store
from ptx_distill import Sequence
from ptx_distill.answers import answer_prompts
from ptx_make import Sample
from ptx_make.sample import sample

TURNS = [
    {"role": "user", "content": "What is 3 + 4?"},
    {"role": "assistant", "content": "The answer is 7."},
    {"role": "user", "content": "And what is 12 + 5?"},
]
ROWS = [
    *({"prompt": f"What is {a} + {b}?"} for a, b in ((3, 4), (21, 8), (50, 17), (6, 6))),
    {"prompt": "Which is larger: 12 or 21?"},
    {"prompt": "¿Cuánto es 8 + 9?"},
    {"prompt": TURNS},
]


def conversation(row):
    """A row of either form as its turns."""
    if "messages" in row:
        return row["messages"]
    turns = row["prompt"]
    reply = row["completion"]
    turns = [{"role": "user", "content": turns}] if isinstance(turns, str) else turns
    return [*turns, *([{"role": "assistant", "content": reply}] if isinstance(reply, str) else reply)]


def test_one_greedy_answer_is_what_distillation_learns(prompts, plain_run, tiny_model, tmp_path, make_run):
    model, data = ModelRef.of(tiny_model), prompts(rows=ROWS)
    for most in (32, 6):  # the second leaves out what does not end
        run = make_run(RunConfig(), [], f"taught-{most}").at(store=Store(tmp_path / f"store-{most}"))
        taught = answer_prompts(run, Sequence(max_new_tokens=most), model, data.rows("prompts"))
        greedy = Sample(n=1, temperature=0, scorer=None, max_new_tokens=most)
        made = sample(plain_run(), greedy, model, data)
        drawn = [*read_rows(made.path / "messages.jsonl")]
        assert [conversation(row) for row in drawn] == [conversation(row) for row in taught]
        assert (len(drawn) == len(ROWS)) == (most == 32)
