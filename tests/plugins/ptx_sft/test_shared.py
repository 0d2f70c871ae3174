"""SFT on real input: a pretrained model without a chat template, stories, and school maths."""

import json
import os
from pathlib import Path

import pytest

import ptx_sft
from ptx import RunConfig
from ptx.data import open_data
from ptx_sft import SFT

SHARED = Path(os.environ.get("PTX_SHARED", Path(__file__).parents[4] / "shared"))
STORIES, MATHS, MODEL = (
    SHARED / "data/tinystories/tiny_stories.txt",
    SHARED / "data/gsm8k/train.jsonl",
    SHARED / "models/stories260K",
)
shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the folder of shared inputs is not here (set PTX_SHARED)"
)


@shared
def test_a_pretrained_model_without_template_learns_from_stories(make_run, make_data, train, losses_of):
    paragraphs = [line for line in STORIES.read_text().splitlines() if line.strip()][:24]
    method = SFT(max_length=64, batch_size=4, learning_rate=1e-3, max_steps=6)
    run = make_run(RunConfig(method=method), [ptx_sft])
    result = train(run, MODEL, make_data("stories", [{"text": text} for text in paragraphs]))
    losses = losses_of(run)
    assert 1.0 < losses[0] < 2.5  # nats per token of a model that knows such stories
    assert losses[-1] < losses[0]
    assert result.bytes == pytest.approx(1_066_000, rel=0.02)  # tied weights stay tied


@shared
def test_school_maths_trains_as_it_comes(make_run, tmp_path, chat_model, train, losses_of):
    rows = [json.loads(line) for line in MATHS.read_text().splitlines()[:40]]
    (tmp_path / "maths.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = make_run(RunConfig(method=SFT(batch_size=4, max_steps=3)), [ptx_sft])
    with_room = sum(
        len(row["question"].encode()) + 4 < 256 for row in rows
    )  # a byte is a token of this model; four are the template's
    train(run, chat_model, open_data("maths", tmp_path / "maths.jsonl"))
    assert len(losses_of(run)) == 3
    assert (
        f"step: {40 - with_room} of 40 rows are left out: nothing of their answer fits into 256 tokens"
        in run.console.lines
    )


@shared
def test_conversations_for_a_model_without_template_say_what_is_missing(make_data):
    rows = [{"messages": [{"role": "user", "content": "why?"}, {"role": "assistant", "content": "so"}]}]
    (problem,) = ptx_sft.ptx_validate(
        config=RunConfig(method=SFT()), model=MODEL, data=make_data("chats", rows)
    )
    assert "has no chat template to render them" in problem.what
