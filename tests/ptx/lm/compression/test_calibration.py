import json
from pathlib import Path

import pytest

import ptx_tiny
from ptx import ConfigError, StepError
from ptx.data import open_data
from ptx.lm.compression import calibration
from ptx.lm.compression.calibration import Calibrated, bucketed, draw, shares
from ptx.lm.compression.oneshot import calibration_batches
from ptx.lm.load import load_tokenizer

TINY = Path(ptx_tiny.__file__).parent / "model"
SMALL = Calibrated(samples=3, max_length=16)


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(TINY)


@pytest.fixture
def data(tmp_path):
    def make(rows, name="rows.jsonl"):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return open_data("rows", tmp_path / name)

    return make


def test_the_calibration_sample_and_its_order_follow_the_seed(data, tokenizer):
    rows = data([{"text": f"Text number {number}."} for number in range(20)])

    def drawn(seed):
        return [
            tokenizer.decode(batch["input_ids"][0])
            for batch in calibration_batches(rows, tokenizer, SMALL, seed)
        ]

    assert drawn(0) == drawn(0) != drawn(1)
    assert len(drawn(0)) == 3


def test_calibration_rows_are_cut_not_padded_and_empty_ones_are_left_out(data, tokenizer):
    rows = data([{"text": "long " * 50}, {"text": "."}, {"text": "two words"}])
    batches = calibration_batches(rows, tokenizer, SMALL, 0)
    assert max(batch["input_ids"].shape[1] for batch in batches) == 16
    assert all(batch["input_ids"].shape[0] == 1 and bool(batch["attention_mask"].all()) for batch in batches)


def test_messages_are_calibrated_on_as_the_chat_template_renders_them(data, tokenizer):
    rows = data([{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}])
    (batch,) = calibration_batches(rows, tokenizer, SMALL, 0)
    assert tokenizer.decode(batch["input_ids"][0]) == "<|bos|><|user|>Hi<|end|><|assistant|>Ho<|end|>"


def test_no_data_and_no_text_are_errors(data, tokenizer):
    with pytest.raises(StepError, match="needs calibration data; add data="):
        calibration_batches(None, tokenizer, SMALL, 0)

    class Empty:
        name = "empty"

        def rows(self, _shape):
            return [{"text": ""}]

    with pytest.raises(StepError, match="none of the 1 calibration rows of empty holds text"):
        calibration_batches(Empty(), tokenizer, SMALL, 0)


def test_the_digest_is_that_of_the_tokens_in_their_order(data, tokenizer):
    rows = data([{"text": f"Text number {number}."} for number in range(20)])
    first, again, other = (draw(rows, tokenizer, SMALL, seed) for seed in (0, 0, 1))
    assert first.digest == again.digest != other.digest
    assert first.tokens == sum(len(row) for row in first.rows)
    assert draw(data([{"text": "word " * 40}]), tokenizer, SMALL, 0).cut == 1
    assert draw(data([{"text": "word " * 40}]), tokenizer, SMALL, 0, context=8).tokens == 8


@pytest.fixture
def family(tmp_path):
    folder = tmp_path / "family"
    folder.mkdir()
    (folder / "text.jsonl").write_text("".join(json.dumps({"text": f"text {n}"}) + "\n" for n in range(30)))
    turns = lambda n: [{"role": "user", "content": f"ask {n}"}, {"role": "assistant", "content": "yes"}]
    (folder / "messages.jsonl").write_text(
        "".join(json.dumps({"messages": turns(n)}) + "\n" for n in range(30))
    )
    (tmp_path / "code.jsonl").write_text(
        "".join(json.dumps({"text": f"print({n})"}) + "\n" for n in range(30))
    )
    return open_data("family", folder)


def test_a_mixture_takes_rows_by_weight_from_shapes_and_files(family, tokenizer, tmp_path):
    mixed = Calibrated(samples=8, mix={"text": 1, "messages": 2, str(tmp_path / "code.jsonl"): 1})
    sample = draw(family, tokenizer, mixed, 0)
    assert list(sample.parts.values()) == [2, 4, 2]
    texts = [tokenizer.decode(list(row)) for row in sample.rows]
    assert sum("<|user|>ask" in text for text in texts) == 4
    assert sum("print" in text for text in texts) == 2
    assert (
        sample.digest == draw(family, tokenizer, mixed, 0).digest != draw(family, tokenizer, mixed, 1).digest
    )


def test_the_parts_of_a_mixture_are_in_the_key(tmp_path):
    mixed = Calibrated(mix={"text": 1, "./code.jsonl": 1})
    assert mixed.reads == ("text",)
    assert mixed.inputs() == [Path("code.jsonl")]


def test_what_is_wrong_with_a_mixture_is_said_before_anything_is_loaded(family, tmp_path):
    wrong = Calibrated(mix={"txet": 1, "./nowhere.jsonl": 1})
    found = [str(problem) for problem in calibration.problems(wrong, "gptq", TINY, family)]
    assert "compress.gptq.mix: no shape 'txet'; did you mean 'text'?" in found[0]
    assert "nowhere.jsonl" in found[1]
    with pytest.raises(ConfigError, match="which family does not hold"):
        draw(family, load_tokenizer(TINY), Calibrated(mix={"pairs": 1}), 0)
    with pytest.raises(ValueError, match="the weight of text must be positive, got 0"):
        Calibrated(mix={"text": 0})


def test_shares_are_whole_and_sum_up():
    assert shares(10, [1, 1, 1]) == [4, 3, 3]
    assert shares(3, [0.7, 0.3]) == [2, 1]


def test_only_rows_of_one_length_share_a_batch_and_none_is_cut():
    rows = [[1, 2, 3], [4, 5], [6, 7, 8], [9, 9], [1, 1, 1]]
    batches = bucketed(rows, 2)
    assert [batch["input_ids"].tolist() for batch in batches] == [
        [[1, 2, 3], [6, 7, 8]],
        [[4, 5], [9, 9]],
        [[1, 1, 1]],
    ]
    assert all(bool(batch["attention_mask"].all()) for batch in batches)


def test_padding_goes_to_the_right_and_only_between_rows_of_like_length():
    rows = [[1] * 2, [2] * 10, [3] * 9, [4] * 10]
    batches = bucketed(rows, 4, pad=0, slack=0.2)
    assert [batch["input_ids"].shape for batch in batches] == [(3, 10), (1, 2)]
    assert [int(batch["attention_mask"].sum()) for batch in batches] == [29, 2]
    assert batches[0]["input_ids"][2].tolist() == [3] * 9 + [0]


def test_calibration_rows_with_tool_calls_and_no_content_are_rendered(chat_model):
    from ptx.lm.compression.calibration import row_text
    from ptx.lm.load import load_tokenizer

    call = {"type": "function", "function": {"name": "f", "arguments": {}}}
    row = {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ]
    }
    assert row_text(load_tokenizer(chat_model), row) == "<|bos|><|user|>hi<|end|><|assistant|><|end|>"
